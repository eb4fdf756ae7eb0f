// The explorer of a report: what the law says at the values that a reader enters.
//
// Above this stand two constants: `data`, whose lists are in the order of the factors, and `forms`,
// the laws as functions of the factors x and the constants c. A point is a list of numbers, NaN
// where a factor is undefined. `bands`, `gain` and `outside` give what LawSet.intervals, .gain and
// .outside give.
"use strict";

// --- the law -----------------------------------------------------------------------------------

// C's pow, which differs from Math.pow where a is 1 or -1
function power(a, b) {
  return a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : Math.pow(a, b);
}

// The point with the relatedness undefined for one task.
function normalize(point) {
  const alone = data.tasks !== null && point[data.tasks] === 1;
  return point.map((value, k) => (alone && k === data.relatedness ? NaN : value));
}

// Undefined factors at the middle of their domain: a valid law does not depend on them.
function impute(point, level) {
  return point.map((value, k) => (Number.isNaN(value) ? level.middle[k] : value));
}

// The mean and the 95 % intervals of the mean and of one more trial; null where none is known.
function bands(asked, level) {
  const point = normalize(asked);
  const x = impute(point, level);
  const mean = forms.mean(x, level.values);
  const draws = level.draws.map((c) => forms.draw(x, c));
  const rivals = forms.rivals.map((form, j) => form(x, level.rivals[j]));
  const drift = level.drift * Math.sqrt(distance(point, level));
  const law = widen(mean, central(draws, mean), Math.hypot(spread(rivals, mean), drift));
  const run = widen(mean, law, level.noise);
  const inBounds = (ends) => ends && ends.map((end) => clip(end, level.bounds));
  return { mean: clip(mean, data.bounds), law: inBounds(law), run: inBounds(run) };
}

// What training together adds to the main task alone; a fall where less is better.
function gain(asked, level) {
  const together = normalize(asked);
  const alone = normalize(asked.map((value, k) => (k === data.tasks ? 1 : value)));
  const sides = data.lowerIsBetter ? [alone, together] : [together, alone];
  const [x, y] = sides.map((point) => impute(point, level));
  const mean = forms.mean(x, level.values) - forms.mean(y, level.values);
  const draws = level.draws.map((c) => forms.draw(x, c) - forms.draw(y, c));
  const rivals = forms.rivals.map(
    (form, j) => form(x, level.rivals[j]) - form(y, level.rivals[j]));
  const away = Math.abs(distance(together, level) - distance(alone, level));
  const drift = level.drift * Math.sqrt(away);
  const law = widen(mean, central(draws, mean), Math.hypot(spread(rivals, mean), drift));
  const noise = level.noise === null ? null : Math.SQRT2 * level.noise;
  return { mean, law, run: widen(mean, law, noise) };
}

// The central part of the draws, widened to include the law; null without draws.
function central(draws, mean) {
  if (!draws.length) return null;
  const known = draws.filter(Number.isFinite).sort((a, b) => a - b);
  const ends = [data.tail, 1 - data.tail].map((fraction) => {
    const place = halfEven(fraction * (known.length + 1)) - 1;
    const end = known[Math.min(Math.max(place, 0), Math.max(known.length - 1, 0))];
    return 2 * known.length > draws.length ? end : NaN;
  });
  return ends.map((end, k) => {
    if (Number.isNaN(end)) return mean;
    return Number.isNaN(mean) ? end : (k ? Math.max : Math.min)(end, mean);
  });
}

function halfEven(value) {
  return Math.abs(value % 1) === 0.5 ? 2 * Math.round(value / 2) : Math.round(value);
}

// Standard deviation of the rivals about the law; one far off counts as three median distances.
function spread(rivals, mean) {
  if (!rivals.length) return 0;
  const squares = rivals.map((value) => finiteOr((value - mean) ** 2, Infinity));
  const order = [...squares].sort((a, b) => a - b);
  const half = order.length >> 1;
  const median = order.length % 2 ? order[half] : (order[half - 1] + order[half]) / 2;
  const reach = data.rivalReach ** 2 * finiteOr(median, order[0]);
  const total = data.weights.reduce((sum, weight) => sum + weight, 0);
  const square = squares.map((value, j) => data.weights[j] * finiteOr(Math.min(value, reach), 0));
  return Math.sqrt(square.reduce((sum, value) => sum + value, 0) / total);
}

function finiteOr(value, other) {
  return Number.isFinite(value) ? value : other;
}

// An interval with an independent error of standard deviation `sd` added in quadrature.
function widen(mean, ends, sd) {
  if (ends === null || sd === null) return null;
  const [low, high] = ends.map((end) => Math.hypot(end - mean, data.width * sd));
  return [mean - low, mean + high];
}

function clip(value, [low, high]) {
  return Math.min(Math.max(value, low ?? -Infinity), high ?? Infinity);
}

// --- the fitted region -------------------------------------------------------------------------

// Place of a value on a factor's axis: 0 and 1 at the ends of its fitted range.
function placeOn(axis, value) {
  if (axis === null) return 0.5;
  if (axis.logarithm && value <= 0) return -1e3;
  const scale = axis.logarithm ? Math.log : (number) => number;
  const [low, high] = [scale(axis.low), scale(axis.high)];
  return finiteOr((scale(value) - low) / (high > low ? high - low : 1), 0.5);
}

// How far a point lies beyond each edge of the region whose factors are all in `among`.
function beyondEdges(point, level, among) {
  const places = level.axes.map((axis, k) => placeOn(axis, point[k]));
  return level.edges
    .filter((edge) => edge.signs.every(([k]) => among(k)))
    .map((edge) => ({
      factors: edge.signs.map(([k]) => k),
      by: edge.signs.reduce((sum, [k, sign]) => sum + sign * places[k], 0) - edge.reach,
    }));
}

// Distance from the region, in widths of it.
function distance(point, level, among = () => true) {
  return Math.max(0, ...beyondEdges(point, level, among).map((edge) => edge.by));
}

// What of a point lies outside: factors beyond their range, else a corner that no row reaches.
function outside(asked, level) {
  const point = normalize(asked);
  const used = (k) => data.factors[k].used;
  const factors = [];
  level.ranges.forEach((range, k) => {
    const value = point[k];
    if (!used(k) || range === null || !(value < range[0] || value > range[1])) return;
    const above = value > range[1];
    factors.push({ factor: k, value, above, limit: above ? range[1] : range[0] });
  });
  const far = distance(point, level, used);
  const edges = beyondEdges(point, level, used);
  const corner = factors.length || far <= 1e-9 ? [] : edges.find((e) => e.by === far).factors;
  return { factors, corner, distance: far };
}

// The factors without a value at which the law depends on them.
function missing(asked, level) {
  const point = normalize(asked);
  return data.factors.flatMap((factor, k) => {
    if (!factor.used || !Number.isNaN(point[k])) return [];
    const at = (value) => impute(point, level).map((other, j) => (j === k ? value : other));
    const [low, high] = (factor.domain ?? [0, 1]).map((end) => forms.mean(at(end), level.values));
    return Math.abs(low - high) <= 1e-9 * Math.abs(high) ? [] : [k];
  });
}

// The factors whose value is impossible, such as an AMI above 1.
function impossible(asked) {
  const beyond = ({ low, high, above }, value) =>
    (low !== null && (above ? value <= low : value < low)) || (high !== null && value > high);
  return normalize(asked).flatMap((value, k) => (beyond(data.factors[k].limits, value) ? [k] : []));
}

// --- words -------------------------------------------------------------------------------------

// A number for reading: 0.0312, 4,000, 1.2 × 10⁻⁷.
function number(value, digits = 3) {
  if (Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return signed(grouped(String(value)));
  const rounded = exponential(value, digits);
  const [mantissa, exponent] = rounded.split("e").map(Number);
  if (exponent > -5 && exponent < 6) {
    const decimals = Math.max(digits - 1 - exponent, 0);
    return signed(grouped(String(Number(Number(rounded).toFixed(decimals)))));
  }
  const power = String(exponent).replace(/./g, (sign) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[sign] ?? "⁻");
  return signed(`${mantissa} × 10${power}`);
}

// So many digits and a power of ten: 3.12e-1. Halves go to the even digit, as in Python.
function exponential(value, digits) {
  const [exact, power] = value.toExponential(100).split("e");  // a half has fewer digits
  const end = exact.indexOf(".") + digits;
  const half = /^50*$/.test(exact.slice(end)) && /[02468]\.?$/.test(exact.slice(0, end));
  return half ? `${exact.slice(0, end)}e${power}` : value.toExponential(digits - 1);
}

function signed(text) {
  return text.replace("-", "−");
}

function grouped(text) {
  return text.replace(/^-?\d+/, (whole) => whole.replace(/\B(?=(\d{3})+$)/g, ","));
}

// A level of a factor: counts in full, fractions and small numbers to two digits.
function short(value) {
  return number(value, Math.abs(value) < 100 ? 2 : 3);
}

// Digits enough to tell the ends of an interval apart, within a limit.
function digitsApart(ends, digits = 3) {
  if (ends === null || !ends.every(Number.isFinite)) return digits;
  const same = (count) => number(ends[0], count) === number(ends[1], count);
  let count = digits;
  while (count < 4 && ends[0] !== ends[1] && same(count)) count += 1;
  return count;
}

// The interval of one more trial; empty where none is known.
function trialText(ends) {
  return ends === null ? "" : ends.map((end) => number(end, digitsApart(ends))).join(" to ");
}

// A value and its interval.
function withInterval(value, ends, digits = 3) {
  const count = digitsApart(ends, digits);
  if (ends === null || !ends.every(Number.isFinite)) return number(value, count);
  return `${number(value, count)} [${ends.map((end) => number(end, count)).join(", ")}]`;
}

function joinWords(texts) {
  return texts.length < 2 ? texts.join("") : `${texts.slice(0, -1).join(", ")} and ${texts.at(-1)}`;
}

// By how much a point lies outside the fitted region; empty inside.
function outsideText({ factors, corner, distance: far }) {
  if (corner.length) {
    const names = joinWords(corner.map((k) => data.factors[k].name));
    const away = `the nearest ones are ${number(far, 2)} of the fitted range away`;
    return `no row combines ${names} like this; ${away}`;
  }
  return joinWords(factors.map(({ factor, value, above, limit }) => {
    const end = `the ${above ? "largest" : "smallest"} fitted (${number(limit)})`;
    const times = limit > 0 && value > 0 ? `${number(value / limit)} times` : above ? "above" : "below";
    return `${data.factors[factor].name} = ${number(value)} is ${times} ${end}`;
  }));
}

// What training together changes; empty where that is not asked, or has no value.
function gainText(asked, level) {
  if (data.tasks === null || asked[data.tasks] === 1 || !data.factors[data.tasks].used) return "";
  const { mean, law } = gain(asked, level);
  if (!Number.isFinite(mean)) return "";
  const [low, high] = data.measured ?? [0, 1];
  if (Math.abs(mean) < 1e-9 * (high - low)) return "No change against the main task alone.";
  const ends = law && (mean < 0 ? [-law[1], -law[0]] : law);
  const doubt = law && law[0] <= 0 && law[1] >= 0 ? "; its sign is not certain" : "";
  const size = withInterval(Math.abs(mean), ends, 2);
  return `${mean < 0 ? "Harm" : "A gain"} of ${size} against the main task alone${doubt}.`;
}

// --- the page ----------------------------------------------------------------------------------

const WIDTH = 360, HEIGHT = 252, LEFT = 46, RIGHT = 14, TOP = 26, BOTTOM = 46, STEPS = 80;

// Round values between two ends, at most about `count` of them.
function roundValues(low, high, count, logarithm) {
  if (logarithm && high / low > 5) {
    const decades = Math.log10(high / low);
    const steps = decades > 3 ? [1] : decades > 1.5 ? [1, 3] : [1, 2, 5];
    const first = Math.floor(Math.log10(low));
    const powers = Array.from({ length: Math.ceil(decades) + 2 }, (_, k) => 10 ** (first + k));
    return powers.flatMap((ten) => steps.map((step) => Number((step * ten).toPrecision(3))))
      .filter((value) => value >= low && value <= high);
  }
  const ten = 10 ** Math.floor(Math.log10((high - low) / count));
  const step = [1, 2, 5, 10].map((part) => part * ten).find((size) => (high - low) / size <= count);
  const first = Math.ceil(low / step - 1e-9);
  const length = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length }, (_, k) => Number(((first + k) * step).toPrecision(12)));
}

function add(parent, name, attributes, text = "") {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  Object.entries(attributes).forEach(([key, value]) => node.setAttribute(key, value));
  node.textContent = text;
  parent.append(node);
}

function cut(text) {
  return text.length > 42 ? `${text.slice(0, 41)}…` : text;
}

// The law along one factor through a point, with its intervals, into an svg element.
function drawCurve(svg, point, level, k) {
  const factor = data.factors[k];
  const ends = [Math.min(factor.span[0], point[k]), Math.max(factor.span[1], point[k])];
  const [low, high] = Number.isNaN(point[k]) ? factor.span : ends;
  const logarithm = factor.logarithm && low > 0;
  const scale = logarithm ? Math.log : (value) => value;
  const back = logarithm ? Math.exp : (value) => value;
  const range = level.ranges[k] ?? [low, high];
  const [start, end] = [scale(low), scale(high)];
  const whole = factor.whole && high - low <= STEPS;
  const count = whole ? high - low : STEPS;
  const even = Array.from({ length: count }, (_, i) => back(start + (i * (end - start)) / count));
  const exact = [high, ...range, point[k]].filter((value) => value >= low && value <= high);
  const values = [...new Set([low, ...even.slice(1), ...exact])].sort((a, b) => a - b);
  const at = (value) => point.map((other, j) => (j === k ? value : other));
  const answers = values.map((value) => bands(at(value), level));
  const away = values.map((value) => outsideText(outside(at(value), level)) !== "");

  const measured = data.measured ?? [0, 1];
  const room = 0.35 * (measured[1] - measured[0] || 1);
  const drawn = answers.flatMap((one) => [one.mean, ...(one.law ?? [])]).filter(Number.isFinite)
    .map((value) => clip(value, [measured[0] - room, measured[1] + room]));
  const [bottom, top] = [Math.min(measured[0], ...drawn), Math.max(measured[1], ...drawn)];
  const across = (value) => LEFT + ((scale(value) - start) / (end - start || 1)) * (WIDTH - LEFT - RIGHT);
  const height = HEIGHT - TOP - BOTTOM;
  const inside = (value) => clip(value, [bottom - room, top + room]);
  const up = (value) => TOP + (1 - (inside(value) - bottom) / (top - bottom || 1)) * height;
  const xy = (value, y) => `${across(value).toFixed(1)} ${up(y).toFixed(1)}`;

  svg.replaceChildren();
  add(svg, "clipPath", { id: "explore-frame" });
  add(svg.lastChild, "rect", { x: LEFT, y: TOP, width: WIDTH - LEFT - RIGHT, height });
  [[low, Math.min(range[0], high)], [Math.max(range[1], low), high]].forEach(([from, to]) => {
    const width = across(to) - across(from);
    if (!(width > 0)) return;
    add(svg, "rect", { x: across(from), y: TOP, width, height, class: "grey" });
    const place = { x: across(from) + width / 2, y: TOP + height - 6, class: "quiet middle" };
    if (width > 62) add(svg, "text", place, "not fitted");
  });
  roundValues(bottom, top, 5, false).forEach((value) => {
    add(svg, "path", { d: `M${LEFT} ${up(value)}H${WIDTH - RIGHT}`, class: "rule" });
    add(svg, "text", { x: LEFT - 6, y: up(value) + 4, class: "quiet end" }, number(value));
  });
  let last = -Infinity;
  roundValues(low, high, whole ? Math.min(6, high - low) : 5, logarithm).forEach((value) => {
    const half = short(value).length * 3.4;
    if (across(value) - half < last || across(value) + half > WIDTH) return;
    last = across(value) + half + 8;
    add(svg, "path", { d: `M${across(value)} ${TOP + height}v4`, class: "tick" });
    add(svg, "text", { x: across(value), y: TOP + height + 16, class: "quiet middle" }, short(value));
  });
  add(svg, "text", { x: 0, y: 12 }, cut(data.target));
  add(svg, "text", { x: WIDTH - RIGHT, y: HEIGHT - 8, class: "end" }, cut(factor.label));

  add(svg, "g", { "clip-path": "url(#explore-frame)" });
  const frame = svg.lastChild;
  for (const kind of ["run", "law"]) {
    const known = values.map((_, i) => i).filter((i) => (answers[i][kind] ?? [NaN]).every(Number.isFinite));
    const edge = known.map((i) => xy(values[i], answers[i][kind][1]));
    const under = known.reverse().map((i) => xy(values[i], answers[i][kind][0]));
    if (edge.length) add(frame, "path", { d: `M${[...edge, ...under].join("L")}Z`, class: kind });
  }
  const lines = { in: "", out: "" };
  let before = "";
  for (let i = 1; i < values.length; i += 1) {
    const valued = Number.isFinite(answers[i - 1].mean) && Number.isFinite(answers[i].mean);
    const kind = valued ? (away[i - 1] || away[i] ? "out" : "in") : "";
    if (kind && kind !== before) lines[kind] += `M${xy(values[i - 1], answers[i - 1].mean)}`;
    if (kind) lines[kind] += `L${xy(values[i], answers[i].mean)}`;
    before = kind;
  }
  Object.entries(lines).forEach(([name, d]) => d && add(frame, "path", { d, class: `line ${name}` }));
  const here = values.indexOf(point[k]);
  if (here >= 0 && Number.isFinite(answers[here].mean)) {
    const place = { cx: across(point[k]), cy: up(answers[here].mean), r: 5 };
    add(svg, "circle", { ...place, class: away[here] ? "point out" : "point" });
  }
  const words = [answers[0], answers.at(-1)].map((one) => number(one.mean));
  svg.setAttribute("aria-label", `${data.target} along ${factor.label}: ${words[0]} at `
    + `${short(low)}, ${words[1]} at ${short(high)}, other values as entered`);
}

// Connects the fields of the section to the answers, then shows it.
function start(root) {
  const find = (selector) => root.querySelector(selector);
  const fields = [...root.querySelectorAll(".field[data-factor]")].map((box) => ({
    box, input: box.querySelector("input[type=text]"), slider: box.querySelector("input[type=range]"),
    hint: box.querySelector(".hint"),
  }));
  const group = find("#explore-group"), axis = find("#explore-axis");
  let waiting = 0;

  // a slider has a step for each whole number, or 200 along the axis of its factor
  const counted = data.factors.map(({ whole, span: [low, high] }) => whole && high - low <= 200);
  const scaleOf = (k) =>
    (data.factors[k].logarithm && !counted[k] ? [Math.log, Math.exp] : [Number, Number]);
  const placeOf = (k, value) => {
    const [low, high] = data.factors[k].span, [scale] = scaleOf(k);
    const part = (scale(clip(value, [low, high])) - scale(low)) / (scale(high) - scale(low) || 1);
    return Math.round(fields[k].slider.max * part);
  };
  const fromSlider = (k) => {
    const [low, high] = data.factors[k].span, [scale, back] = scaleOf(k);
    const part = fields[k].slider.value / fields[k].slider.max;
    const value = Number(back(scale(low) + part * (scale(high) - scale(low))).toPrecision(3));
    return clip(data.factors[k].whole ? Math.round(value) : value, [low, high]);
  };
  const entered = (k) => {
    const text = fields[k].input.value.trim();
    return text === "" ? NaN : Number(text);
  };
  const readable = (k) => {
    const text = fields[k].input.value.trim();
    return text === "" || Number.isFinite(Number(text));
  };

  // `moved` is the factor whose slider was moved: it stays where it is
  const refresh = (moved = -1) => {
    const level = data.levels[group ? group.selectedIndex : 0];
    const point = normalize(fields.map((_, k) => entered(k)));
    const alone = data.tasks !== null && point[data.tasks] === 1;
    const given = (k) => readable(k) || (alone && k === data.relatedness);
    const wrong = fields.map((_, k) => k).filter((k) => !given(k) || impossible(point).includes(k));
    const needed = wrong.length ? [] : missing(point, level);
    const out = wrong.length ? { factors: [], corner: [] } : outside(point, level);
    fields.forEach(({ box, input, slider, hint }, k) => {
      const faulty = wrong.includes(k) || needed.includes(k);
      const undefinedHere = alone && k === data.relatedness;
      const away = out.corner.includes(k) || out.factors.some((one) => one.factor === k);
      input.disabled = slider.disabled = undefinedHere;
      input.setAttribute("aria-invalid", faulty);
      box.classList.toggle("out", away || faulty);
      const range = level.ranges[k];
      const fitted = range ? `fitted: ${short(range[0])} to ${short(range[1])}` : "";
      const unused = data.factors[k].used ? "" : "the law does not use it";
      const expected = `expected: ${data.factors[k].limits.text}`;
      hint.textContent = faulty ? expected : undefinedHere ? "undefined for one task"
        : [away && out.factors.length ? "outside" : "", fitted, unused].filter(Boolean).join("; ");
      if (faulty || Number.isNaN(point[k])) return;
      if (k !== moved) slider.value = placeOf(k, point[k]);
      slider.setAttribute("aria-valuetext", number(point[k]));
    });
    show(point, level, [...wrong, ...needed], out);
  };

  const show = (point, level, faulty, out) => {
    const texts = { predicted: "", interval: "", gained: "", where: "" };
    if (faulty.length) {
      texts.predicted = `No answer: ${joinWords(faulty.map((k) => data.factors[k].name))}`
        + ` ${faulty.length > 1 ? "are not numbers" : "is not a number"} that the law can take.`;
    } else {
      const answer = bands(point, level), beyond = outsideText(out);
      const valued = Number.isFinite(answer.mean);
      texts.predicted = valued ? `${data.target} = ${withInterval(answer.mean, answer.law)}`
        : "The law has no value here.";
      const run = trialText(answer.run);
      texts.interval = !valued ? "" : answer.law === null ? "No interval is known."
        : "In brackets: the 95 % interval of the mean."
          + (run ? ` One more trial: ${run} (95 %).` : "");
      texts.gained = valued ? gainText(point, level) : "";
      texts.where = beyond ? [`Outside the fitted region: ${beyond}.`, ...data.beyond].join(" ")
        : "Inside the fitted region.";
      find(".where").classList.toggle("out", beyond !== "");
      drawCurve(find("svg"), point, level, axis.selectedIndex);
    }
    find("svg").classList.toggle("old", faulty.length > 0);
    Object.entries(texts).forEach(([name, text]) => { find(`.${name}`).textContent = text; });
    clearTimeout(waiting);  // a screen reader hears the answer once the values rest
    const spoken = Object.values(texts).filter(Boolean).join(" ");
    waiting = setTimeout(() => { find("[role=status]").textContent = spoken; }, 600);
  };

  fields.forEach(({ input, slider }, k) => {
    const [low, high] = data.factors[k].span;
    slider.max = counted[k] ? Math.max(high - low, 1) : 200;
    input.addEventListener("input", () => refresh());
    slider.addEventListener("input", () => {
      input.value = String(fromSlider(k));
      refresh(k);
    });
  });
  [group, axis].forEach((choice) => choice?.addEventListener("change", () => refresh()));
  root.hidden = false;
  refresh();
}

const explorerRoot = document.getElementById("explore");
if (explorerRoot) start(explorerRoot);

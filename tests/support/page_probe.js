// What is wrong with a page as it is laid out: called in a browser, returns lists of faults.
() => {
  const shown = (element) => element.getClientRects().length > 0
    && getComputedStyle(element).visibility !== "hidden" && !element.closest(".unseen, .skip");
  const own = (element) => [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
  const named = (element) => `${element.tagName} ${element.textContent.trim().slice(0, 40)}`;
  const texts = [...document.querySelectorAll("body *")]
    .filter((e) => own(e) && shown(e) && !["SCRIPT", "STYLE", "NOSCRIPT"].includes(e.tagName));
  const box = (element) => element.getBoundingClientRect();

  // text beyond the sides of the screen, unless it lies in something that scrolls
  const scrolls = (e) => ["auto", "scroll"].includes(getComputedStyle(e).overflowX);
  const scroller = (e) => { while (e && !scrolls(e)) e = e.parentElement; return e; };
  const beyond = texts.filter((e) => (box(e).right > innerWidth + 1 || box(e).left < -1)
    && !scroller(e)).map(named);

  // what scrolls sideways: reachable by keyboard, and its shadow says that there is more
  const wide = [...document.querySelectorAll("main *")].filter((e) => shown(e) && scrolls(e)
    && e.scrollWidth > e.clientWidth + 1 && !["SELECT", "INPUT"].includes(e.tagName));
  const unreachable = wide.filter((e) => e.tabIndex < 0 && !e.querySelector("a")).map(named);
  const unmarked = wide.filter((e) => e.matches(".scroll")
    && !getComputedStyle(e).backgroundImage.includes("gradient")).map(named);

  // labels of a figure that lie on each other
  const overlaps = [];
  for (const svg of document.querySelectorAll("svg")) {
    const labels = [...svg.querySelectorAll("text")].filter((e) => shown(e) && e.textContent.trim());
    labels.forEach((one, i) => labels.slice(i + 1).forEach((other) => {
      const [a, b] = [box(one), box(other)];
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (across > 1 && down > 3) overlaps.push(`${named(one)} | ${named(other)}`);
    }));
  }

  // contrast of every text with what is painted behind it
  const brush = Object.assign(document.createElement("canvas"), { width: 1, height: 1 })
    .getContext("2d", { willReadFrequently: true });
  const pixel = (colours) => {
    for (const colour of colours) {
      brush.fillStyle = colour;
      brush.fillRect(0, 0, 1, 1);
    }
    return [...brush.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((c) => c / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const faint = [];
  for (const element of texts) {
    const behind = [];
    for (let e = element; e; e = e.parentElement) behind.unshift(getComputedStyle(e).backgroundColor);
    const style = getComputedStyle(element);
    const ink = element.closest("svg") ? style.fill : style.color;
    const [paper, text] = [["white", ...behind], ["white", ...behind, ink]].map(pixel).map(luminance);
    const ratio = (Math.max(paper, text) + 0.05) / (Math.min(paper, text) + 0.05);
    if (ratio < 4.5 && !element.closest(":disabled")) faint.push(`${ratio.toFixed(2)} ${named(element)}`);
  }
  const overflow = document.documentElement.scrollWidth - innerWidth;
  return { overflow, beyond, unreachable, unmarked, overlaps, faint };
}

"""The commands of `mtl-laws`: thin; every heavy import waits until a command needs it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtl_laws import __version__
from mtl_laws.pipeline.cli.ending import exit_code
from mtl_laws.pipeline.cli.options import Commands
from mtl_laws.pipeline.cli.plan import plan
from mtl_laws.pipeline.errors import UserError

if TYPE_CHECKING:
    from mtl_laws.pipeline.laws.lawset import LawSet

app = typer.Typer(
    name="mtl-laws",
    cls=Commands,
    help="How much will training my sequence-labelling tasks together help?",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Jobs = Annotated[int, typer.Option(help="Worker processes; -1 for one per core.")]
Engine = Annotated[
    str,
    typer.Option(
        help="Symbolic regression: auto, pysr, operon, gplearn or grammar (always joins)."
    ),
]
Budget = Annotated[str, typer.Option(help="Effort: tiny, quick, standard or thorough.")]
Seed = Annotated[int, typer.Option(help="Seed of every random draw; the same seed, the same law.")]
Out = Annotated[Path, typer.Option(help="Folder to write to; made where it does not exist.")]
TimeLimit = Annotated[
    float | None, typer.Option(help="Seconds after which the search is cut short (and says so).")
]


def _version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option(help="Show the traceback of an error.")] = False,
    plugin: Annotated[
        list[str] | None,
        typer.Option(help="Python file that registers a family, encoder, engine … of your own."),
    ] = None,
) -> None:
    """Options of every command."""
    for name in plugin or ():
        from mtl_laws.pipeline.plugins import plug_in

        plug_in(name)
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def run(
    study: Annotated[Path, typer.Argument(help="Study file (YAML); `mtl-laws init` writes one.")],
    out: Out,
    jobs: Jobs = -1,
    backend: Annotated[str, typer.Option(help="loky (this machine) or dask (a cluster).")] = "loky",
    address: Annotated[str | None, typer.Option(help="Address of the dask scheduler.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:0.")] = "cpu",
    engine: Annotated[
        str | None,
        typer.Option(help="Engine instead of the study's: auto, pysr, operon, gplearn, grammar."),
    ] = None,
    retry_failed: Annotated[bool, typer.Option(help="Train failed trials again.")] = False,
) -> None:
    """Run a study: simulate tasks, train models, find laws, write the report. Resumes by itself.

    Example: mtl-laws run study.yaml --out runs/mine
    """
    from mtl_laws.pipeline.cli.progress import SearchProgress
    from mtl_laws.pipeline.study.backends import RunOptions
    from mtl_laws.pipeline.study.run import run_study

    options = RunOptions(jobs, backend, address, device, retry_failed=retry_failed)
    with SearchProgress() as progress:
        laws = run_study(study, out, engine, options, progress)
    _say_law(laws, out)


@app.command()
def fit(
    table: Annotated[
        Path, typer.Argument(help="CSV or Parquet file, a row per model; or reference:NAME.")
    ],
    target: Annotated[str, typer.Option(help="Column to explain.")],
    factors: Annotated[str, typer.Option(help="NAME=COLUMN,… : factors and their columns.")],
    out: Out,
    bounds: Annotated[str, typer.Option(help="LOW,HIGH of the target; 0, for no upper.")] = ",",
    domain: Annotated[
        list[str] | None, typer.Option(help="FACTOR=LOW:HIGH where the law must be valid.")
    ] = None,
    hold_out: Annotated[
        str | None, typer.Option(help="Rows to keep out, as in 'n>5000 or T>5'.")
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(help="Rows to use, over columns: 'tokens>99 and encoder==\"cnn\"'."),
    ] = None,
    groups: Annotated[
        str | None,
        typer.Option(help="COLUMN,…: groups that have constants of their own in one form."),
    ] = None,
    sd: Annotated[
        str | None, typer.Option(help="Column with the standard deviation of each row's target.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="Column with the weight of each row; not with --sd.")
    ] = None,
    loss: Annotated[
        str,
        typer.Option(help="squares, huber, or auto: huber only where rows lie far off every law."),
    ] = "auto",
    form: Annotated[
        list[str] | None,
        typer.Option(help="A form of your own, as in 'c0 + c1*n**c2'; always in the report."),
    ] = None,
    engine: Engine = "auto",
    budget: Budget = "standard",
    time_limit: TimeLimit = None,
    seed: Seed = 0,
    jobs: Jobs = -1,
) -> None:
    """Find laws in a table of results that already exists.

    Example: mtl-laws fit results.csv --target f1 --factors n=tokens,T=tasks,ami=ami --out laws
    """
    from mtl_laws.pipeline.cli.options import (
        parse_bounds,
        parse_columns,
        parse_domains,
        parse_factors,
        said_as_options,
    )
    from mtl_laws.pipeline.cli.progress import SearchProgress
    from mtl_laws.pipeline.fit import Source, fit_to_folder, refuse_run_folder
    from mtl_laws.pipeline.laws.question import Question
    from mtl_laws.pipeline.reference_data import read_source

    rows = read_source(table)
    question = Question(
        target,
        parse_factors(factors),
        parse_bounds(bounds),
        parse_domains(domain or []),
        hold_out,
        engine,
        budget,
        time_limit,
        seed,
        jobs,
        groups=parse_columns("groups", groups),
        sd=sd,
        weights=weights,
        loss=loss,
        where=where,
        forms=tuple(form or ()),
    )
    refuse_run_folder(out)
    source = Source(str(table), f"{target} in {table.name}")
    with SearchProgress() as progress, said_as_options(question.paths):
        laws = fit_to_folder(rows, question, source, out, progress)
    _say_law(laws, out)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="Folder with laws.json, as run or fit left it.")],
) -> None:
    """Write the report of a folder again, without searching again.

    Example: mtl-laws report runs/mine
    """
    from mtl_laws.pipeline.fit import rewrite_report

    rewrite_report(folder)
    typer.echo(f"report: {folder / 'report.html'}")


@app.command()
def simulate(
    out: Out,
    family: Annotated[str, typer.Option(help="channel, teacher or layers.")] = "teacher",
    tasks: Annotated[int, typer.Option(help="T: tasks, the main one included.")] = 2,
    ami: Annotated[float | None, typer.Option(help="Relatedness to the main task, 0 to 1.")] = None,
    tokens: Annotated[int, typer.Option(help="n: training tokens of each task.")] = 1000,
    aux_tokens: Annotated[
        int | None, typer.Option(help="Tokens of an auxiliary; n if none.")
    ] = None,
    test_tokens: Annotated[int, typer.Option(help="Tokens of the test split.")] = 4000,
    shared: Annotated[bool, typer.Option(help="All tasks label the same sentences.")] = False,
    label_noise: Annotated[float, typer.Option(help="Share of training labels replaced.")] = 0.0,
    option: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE of the family's own, as in features=8.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of every random draw.")] = 0,
    format: Annotated[str, typer.Option(help="conll, jsonl, parquet or hf.")] = "conll",
    plot: Annotated[bool, typer.Option(help="Also draw relatedness and labels.")] = False,
) -> None:
    """Make a family of related tasks as a dataset with a data card.

    Example: mtl-laws simulate --family channel --tasks 3 --ami 0.5 --tokens 5000 --out tasks
    """
    from mtl_laws.pipeline.cli.options import as_options, check_export, parse_options
    from mtl_laws.simulator import TaskSpec, export_taskset, make_taskset, plot_taskset

    with as_options():
        check_export(out, format)
        spec = TaskSpec(
            family=family,
            tasks=tasks,
            ami=ami,
            tokens=tokens,
            aux_tokens=aux_tokens,
            test_tokens=test_tokens,
            shared=shared,
            label_noise=label_noise,
            options=parse_options(option or []),
        )
        taskset = make_taskset(spec, seed)
        export_taskset(taskset, out, format)
    if plot:
        plot_taskset(taskset, out)
    measured = "" if taskset.ami is None else f", measured AMI {taskset.ami:.3f}"
    typer.echo(f"{tasks} tasks of {tokens} tokens{measured}: {out}")


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Folder of run (finished or not) or of fit.")],
    out: Annotated[Path, typer.Option(help="Folder to write to; new or empty.")],
    format: Annotated[str, typer.Option(help="csv, jsonl, parquet or hf.")] = "parquet",
    licence: Annotated[str, typer.Option(help="Licence of the data, as in CC-BY-4.0.")] = "",
) -> None:
    """Write results and laws as a dataset to publish, with a data card.

    Example: mtl-laws export runs/mine --format hf --out published
    """
    from mtl_laws.pipeline.cli.options import as_options
    from mtl_laws.pipeline.export import export_results

    with as_options():
        export_results(folder, out, format, licence)
    typer.echo(f"wrote {out}: README.md there is the data card")


@app.command()
def advise(
    corpus: Annotated[list[Path], typer.Argument(help="CoNLL, CoNLL-U or JSONL files.")],
    main: Annotated[str, typer.Option(help="Layer of the main task.")],
    aux: Annotated[
        list[str] | None, typer.Option(help="Auxiliary layer to consider; all if none is named.")
    ] = None,
    laws: Annotated[
        Path | None, typer.Option(help="laws.json of run or fit; if none, the one that ships.")
    ] = None,
    tokens: Annotated[
        int | None, typer.Option(help="n: labelled tokens of the main task; as many as there are.")
    ] = None,
    aux_tokens: Annotated[
        int | None, typer.Option(help="Further tokens of each auxiliary; as many as there are.")
    ] = None,
    columns: Annotated[
        str | None, typer.Option(help="NAME,NAME,…: columns of a CoNLL file, the tokens first.")
    ] = None,
    out: Out = Path("advice"),
    check: Annotated[
        bool, typer.Option("--check", help="Train the top suggestions on this corpus, too.")
    ] = False,
    top: Annotated[int, typer.Option(help="Suggestions that --check trains.")] = 3,
    seeds: Annotated[int, typer.Option(help="Trainings of each that --check makes.")] = 5,
) -> None:
    """Predict what each auxiliary layer of a corpus would do for the main one.

    Example: mtl-laws advise corpus.conllu --main deprel --tokens 500 --check
    """
    from mtl_laws.pipeline.advice.advising import answer_question, check_out, write_advice
    from mtl_laws.pipeline.advice.check import Plan
    from mtl_laws.pipeline.advice.question import Question
    from mtl_laws.pipeline.advice.words import as_text
    from mtl_laws.pipeline.cli.progress import SearchProgress

    check_out(out)
    named = tuple(columns.split(",")) if columns else None
    question = Question(tuple(corpus), main, tuple(aux or ()), laws, tokens, aux_tokens, named)
    with SearchProgress() as progress:
        advice = answer_question(question, Plan(seeds, top) if check else None, progress)
    write_advice(advice, out)
    typer.echo(as_text(advice))
    typer.echo(f"\npage: {out / 'advice.html'}")


@app.command()
def engines(
    install: Annotated[
        str | None, typer.Option(help="Install what an engine lacks: pysr (downloads Julia).")
    ] = None,
) -> None:
    """Show which law engines are ready here, and install what one lacks.

    Example: mtl-laws engines
    """
    from mtl_laws.pipeline.symbolic.engines import ENGINES, pysr

    if install is not None:
        if install != pysr.PySR.name:
            raise UserError("install", "pysr, the one engine with a runtime of its own", install)
        typer.echo(f"pysr      installed: {pysr.install()}")
        return
    for name, engine in ENGINES.items():
        readiness = engine.readiness()
        typer.echo(
            f"{name:<9} {'ready' if readiness.ready else 'not ready':<10} {readiness.reason}"
        )


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="File to write; must not exist.")] = Path(
        "study.yaml"
    ),
) -> None:
    """Write a study file with every key explained.

    Example: mtl-laws init study.yaml
    """
    from mtl_laws.pipeline.study.study import write_commented

    write_commented(path)
    typer.echo(f"wrote {path}: mtl-laws run {path} --out runs/{path.stem}")


@app.command()
def status(
    folder: Annotated[Path, typer.Argument(help="Folder of a run, finished or not.")],
) -> None:
    """Say how far a run is: done, failed, remaining, rate and time left.

    Example: mtl-laws status runs/mine
    """
    from mtl_laws.pipeline.study.progress import run_status

    typer.echo(run_status(folder).line())


app.command()(plan)


def _say_law(laws: LawSet, out: Path) -> None:
    from mtl_laws.pipeline.fit import summary

    typer.echo(summary(laws))
    typer.echo(f"report: {out / 'report.html'}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; a user's mistake is one line and exit code 2."""
    sys.exit(exit_code(app, sys.argv[1:] if arguments is None else arguments))


if __name__ == "__main__":
    main()

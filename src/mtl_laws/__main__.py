"""``python -m mtl_laws`` is the command `mtl-laws`."""

from mtl_laws.pipeline.cli.app import main

if __name__ == "__main__":
    main()

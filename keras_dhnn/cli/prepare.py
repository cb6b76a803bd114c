"""`keras-dhnn prepare`: an archive to a prepared data set."""

import dataclasses
import json
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from keras_dhnn.cli.bars import bars
from keras_dhnn.cli.options import DataFolder, Json, Quiet


def prepare(
    name: Annotated[str, typer.Argument(help="The data set: ucmd.", metavar="NAME")],
    source: Annotated[
        Path | None, typer.Option(help="The archive: its folder, or the original zip.", metavar="PATH")
    ] = None,
    synthetic: Annotated[
        bool, typer.Option("--synthetic", help="Write a synthetic twin, NAME-synthetic, instead of a real archive.")
    ] = False,
    per_class: Annotated[
        int, typer.Option(min=2, help="Images of each class of the synthetic twin.", metavar="N")
    ] = 20,
    download: Annotated[
        bool, typer.Option("--download", help="Fetch the archive from where its authors publish it, then prepare it.")
    ] = False,
    skip_damaged: Annotated[
        bool, typer.Option("--skip-damaged", help="Leave out files that cannot be used, and record them.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace what was prepared before.")] = False,
    data: DataFolder = Path("data"),
    seed: Annotated[int, typer.Option(min=0, help="Of the synthetic images and of the order in the shards.")] = 0,
    quiet: Quiet = False,
    as_json: Json = False,
):
    """Turn an image archive into TFRecord shards under DATA/NAME.

    Examples:

      keras-dhnn prepare ucmd --source UCMerced_LandUse.zip

      keras-dhnn prepare ucmd --synthetic
    """
    if name != "ucmd":
        raise ValueError(f"Unknown data set {name!r}. Expected: ucmd")
    if (source is not None) + synthetic + download != 1:
        raise ValueError(
            "Give the archive by --source PATH (its folder, or the original zip), or write a synthetic twin by "
            "--synthetic, or fetch the archive by --download."
        )
    bar = bars(quiet)
    started = time.monotonic()
    if synthetic:
        prepared = prepare_twin(name, data, per_class, seed, bar, force=force)
    else:
        from keras_dhnn.pipelines.ucmd import open_archive

        source = _download(data, bar) if download else source
        prepared = _write(open_archive(source, skip_damaged=skip_damaged), data / name, seed, bar, force=force)
    _report(prepared, time.monotonic() - started, as_json)


def prepare_twin(name, data, per_class, seed, bar, *, force=False):
    """Prepares the synthetic twin of a data set as DATA/NAME-synthetic, unless it is there already.

    Args:
        name: the data set.
        data: folder of the prepared data sets.
        per_class: images of each class.
        seed: of the images.
        bar: progress bar factory.
        force: make it anew.

    Returns:
        `Prepared`.
    """
    from keras_dhnn.pipelines.prepare import Prepared, find_prepared
    from keras_dhnn.pipelines.synthetic import write_ucmd
    from keras_dhnn.pipelines.ucmd import open_archive

    directory = data / f"{name}-synthetic"
    settings = f"per_class={per_class} seed={seed}"
    source = {"kind": "synthetic twin", "path": settings, "fingerprint": f"synthetic {name} {settings}"}
    info = find_prepared(directory, source, force=force)
    if info:
        return Prepared(info, fresh=False)
    with tempfile.TemporaryDirectory() as folder:
        with bar("Drawing the synthetic twin", 21 * per_class, "image") as update:
            write_ucmd(Path(folder), per_class=per_class, seed=seed, progress=lambda done, total: update(done))
        archive = dataclasses.replace(open_archive(Path(folder)), source=source)
        return _write(archive, directory, seed, bar, force=force, synthetic=True)


def _write(archive, directory, seed, bar, **how):
    from keras_dhnn.pipelines.prepare import prepare as write

    with bar(f"Preparing {directory}", archive.count, "image") as update:
        return write(archive, directory, seed=seed, progress=lambda done, total: update(done), **how)


def _download(data, bar):
    from keras_dhnn.pipelines import ucmd
    from keras_dhnn.pipelines.download import download

    with bar(f"Downloading {ucmd.URL}", ucmd.BYTES, "byte") as update:
        return download(
            *(ucmd.URL, data / "UCMerced_LandUse.zip"),
            size=ucmd.BYTES,
            checksum=ucmd.CHECKSUM,
            progress=lambda done, total: update(done),
        )


def _report(prepared, seconds, as_json):
    info, fresh = prepared
    result = {
        "directory": str(info.directory),
        "images": info.count,
        "classes": len(info.classes),
        "skipped": info.skipped,
        "checksum": info.checksum,
        "synthetic": info.synthetic,
        "written": fresh,
        "images_per_second": info.count / seconds if fresh else None,
    }
    if as_json:
        print(json.dumps(result))
        return
    if not fresh:
        print(f"{info.directory} is there already, made from the same source: nothing to do.")
        return
    rate = result["images_per_second"]
    print(f"{info.count} images of {len(info.classes)} classes in {info.directory} ({rate:.0f} images a second).")
    for name, reason in info.skipped:
        print(f"Left out: {name} {reason}")
    print(f"Next: keras-dhnn fit {info.name}")

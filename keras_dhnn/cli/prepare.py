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

ARCHIVES = ("ucmd", "ucmd-dual", "sat4")
LAYOUTS = (*ARCHIVES, "folder")


def prepare(
    name: Annotated[
        str,
        typer.Argument(help="The data set: ucmd, ucmd-dual, sat4, or a name of yours with --layout.", metavar="NAME"),
    ],
    source: Annotated[
        Path | None, typer.Option(help="The archive: its folder or file, as its authors publish it.", metavar="PATH")
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(
            help="How the archive is laid out: ucmd, ucmd-dual, sat4, or folder (a folder a class, any images); by "
            "default as the name says."
        ),
    ] = None,
    synthetic: Annotated[
        bool, typer.Option("--synthetic", help="Write a synthetic twin, NAME-synthetic, instead of a real archive.")
    ] = False,
    per_class: Annotated[int, typer.Option(min=2, help="Images of each class of ucmd's twins.", metavar="N")] = 20,
    size: Annotated[int, typer.Option(min=10, help="Patches of sat4's twin, up to 500000.", metavar="N")] = 20_000,
    label_noise: Annotated[float, typer.Option(min=0, max=0.99, help="Share of wrong labels in sat4's twin.")] = 0.0,
    download: Annotated[
        bool, typer.Option("--download", help="ucmd, ucmd-dual: fetch the archive from where its authors publish it.")
    ] = False,
    skip_damaged: Annotated[
        bool, typer.Option("--skip-damaged", help="Leave out files that cannot be used, and record them.")
    ] = False,
    image_size: Annotated[
        int | None,
        typer.Option(min=8, help="folder: side in pixels of the stored images; by default the median, at most 256."),
    ] = None,
    percentiles: Annotated[
        tuple[float, float],
        typer.Option(help="folder: percentiles of each band that become 0 and 255, where images are not uint8."),
    ] = (1.0, 99.0),
    scale: Annotated[
        tuple[float, float] | None, typer.Option(help="folder: the values that become 0 and 255, instead.")
    ] = None,
    rgb_bands: Annotated[
        str | None, typer.Option(help="folder: numbers of the red, green and blue band, e.g. 4,3,2 for Sentinel-2.")
    ] = None,
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

      keras-dhnn prepare harbours --layout folder --source my-images
    """
    layout = _layout(name, layout)
    if (source is not None) + synthetic + download != 1:
        raise ValueError(
            "Give the archive by --source PATH (its folder, or the file as published), or write a synthetic twin by "
            "--synthetic, or fetch the archive by --download."
        )
    bar, started = bars(quiet), time.monotonic()
    if synthetic:
        how = {"size": size, "label_noise": label_noise} if layout == "sat4" else {"per_class": per_class}
        prepared = prepare_twin(layout, data, bar, seed=seed, force=force, **how)
    else:
        source = _download(layout, data, bar) if download else source
        options = {
            "ucmd": {"skip_damaged": skip_damaged},
            "ucmd-dual": {"skip_damaged": skip_damaged},
            "sat4": {},
            "folder": {
                "skip_damaged": skip_damaged,
                "image_size": image_size,
                "percentiles": percentiles,
                "scale": scale,
                "rgb_bands": _numbers(rgb_bands),
            },
        }[layout]
        prepared = _write(_reader(layout)(source, **options), data / name, seed, bar, force=force)
    _report(prepared, time.monotonic() - started, as_json)


def prepare_twin(layout, data, bar, *, seed=0, force=False, **how):
    """Prepares the synthetic twin of a data set as DATA/LAYOUT-synthetic, unless it is there already.

    Args:
        layout: one of ARCHIVES.
        data: folder of the prepared data sets.
        bar: progress bar factory.
        seed: of the images.
        force: make it anew.
        **how: what the twin's writer takes, e.g. `per_class`.

    Returns:
        `Prepared`.

    Raises:
        ValueError: if there is no twin.
    """
    from keras_dhnn.pipelines.prepare import Prepared, find_prepared

    write = _twin_writer(layout)
    directory = data / f"{layout}-synthetic"
    settings = " ".join(f"{name}={value}" for name, value in {**how, "seed": seed}.items())
    source = {"kind": "synthetic twin", "path": settings, "fingerprint": f"synthetic {layout} {settings}"}
    info = find_prepared(directory, source, force=force)
    if info:
        return Prepared(info, fresh=False)
    with tempfile.TemporaryDirectory() as folder:
        with bar("Drawing the synthetic twin", None, "image") as update:
            write(Path(folder), seed=seed, progress=lambda done, total: update(done), **how)
        archive = dataclasses.replace(_reader(layout)(Path(folder)), source=source)
        return _write(archive, directory, seed, bar, force=force, synthetic=True)


def _layout(name, layout):
    if layout is None and name in ARCHIVES:
        return name
    if layout not in LAYOUTS:
        raise ValueError(
            f"How is the archive of {name!r} laid out? Expected --layout folder for images of yours, a folder a class, "
            f"or one of the names {', '.join(ARCHIVES)}." + (f" Received: --layout {layout}" if layout else "")
        )
    return layout


def _reader(layout):
    if layout == "ucmd":
        from keras_dhnn.pipelines.ucmd import open_archive
    elif layout == "ucmd-dual":
        from keras_dhnn.pipelines.ucmd_dual import open_archive
    elif layout == "sat4":
        from keras_dhnn.pipelines.sat4 import open_archive
    else:
        from keras_dhnn.pipelines.folder import open_archive
    return open_archive


def _twin_writer(layout):
    if layout in ("ucmd", "ucmd-dual"):
        from keras_dhnn.pipelines.synthetic import write_ucmd

        return write_ucmd
    if layout == "sat4":
        from keras_dhnn.pipelines.sat4_twin import write_sat4

        return write_sat4
    raise ValueError(f"There are synthetic twins of {', '.join(ARCHIVES)} only. Give your images by --source PATH.")


def _numbers(text):
    if text is None:
        return None
    try:
        return tuple(int(number) for number in text.split(","))
    except ValueError:
        raise ValueError(f"Expected band numbers such as --rgb-bands 4,3,2. Received: {text!r}") from None


def _write(archive, directory, seed, bar, **how):
    from keras_dhnn.pipelines.prepare import prepare as write

    with bar(f"Preparing {directory}", archive.count, "image") as update:
        return write(archive, directory, seed=seed, progress=lambda done, total: update(done), **how)


def _download(layout, data, bar):
    from keras_dhnn.pipelines import ucmd
    from keras_dhnn.pipelines.download import download

    if layout not in ("ucmd", "ucmd-dual"):
        raise ValueError("Only ucmd can be downloaded. Give the archive by --source PATH.")
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
        "notes": info.source.get("notes", []),
    }
    if as_json:
        print(json.dumps(result))
        return
    if not fresh:
        print(f"{info.directory} is there already, made from the same source: nothing to do.")
        return
    rate = result["images_per_second"]
    print(f"{info.count} images of {len(info.classes)} classes in {info.directory} ({rate:.0f} images a second).")
    for note in result["notes"]:
        print(note)
    for name, reason in info.skipped:
        print(f"Left out: {name} {reason}")
    print(f"Next: keras-dhnn fit {info.name}")

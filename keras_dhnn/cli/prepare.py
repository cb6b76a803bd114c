"""`keras-dhnn prepare`: an archive to a prepared data set."""

import dataclasses
import json
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from keras_dhnn.cli.bars import bars
from keras_dhnn.cli.given import given_beside
from keras_dhnn.cli.interruption import ends_well
from keras_dhnn.cli.options import DataFolder, Json, Quiet

ARCHIVES = ("ucmd", "ucmd-dual", "sat4", "dsrsid")
LAYOUTS = (*ARCHIVES, "folder", "dual")
# Items of the twins whose size is given in all.
_SIZES = {"sat4": 20_000, "dsrsid": 2400}


def prepare(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(help=f"The data set: {', '.join(ARCHIVES)}, or a name of yours with --layout.", metavar="NAME"),
    ],
    source: Annotated[
        list[str] | None,
        typer.Option(
            help="The archive: its folder or file, as its authors publish it. For --layout dual each of the two "
            "sources by a name of yours: --source pan=DIR --source mul=DIR.",
            metavar="PATH",
        ),
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(
            help=f"How the archive is laid out: {', '.join(ARCHIVES)}, folder (a folder a class, any images), or dual "
            "(two such folders, an item's two images under the same name); by default as the name says."
        ),
    ] = None,
    synthetic: Annotated[
        bool, typer.Option("--synthetic", help="Write a synthetic twin, NAME-synthetic, instead of a real archive.")
    ] = False,
    per_class: Annotated[int, typer.Option(min=2, help="Images of each class of ucmd's twins.", metavar="N")] = 20,
    size: Annotated[
        int | None,
        typer.Option(
            min=10,
            help="Items of the twin of sat4 (20000; up to 500000) or of dsrsid (2400; 16 to 80000).",
            metavar="N",
        ),
    ] = None,
    label_noise: Annotated[float, typer.Option(min=0, max=0.99, help="Share of wrong labels in sat4's twin.")] = 0.0,
    download: Annotated[
        bool, typer.Option("--download", help="ucmd, ucmd-dual: fetch the archive from where its authors publish it.")
    ] = False,
    skip_damaged: Annotated[
        bool, typer.Option("--skip-damaged", help="Leave out files that cannot be used, and record them.")
    ] = False,
    image_size: Annotated[
        list[str] | None,
        typer.Option(
            help="folder, dual: side in pixels of the stored images; by default the median, at most 256. dual: of one "
            "source by NAME=N.",
            metavar="N",
        ),
    ] = None,
    percentiles: Annotated[
        tuple[float, float],
        typer.Option(help="folder, dual: percentiles of each band that become 0 and 255, where images are not uint8."),
    ] = (1.0, 99.0),
    scale: Annotated[
        tuple[float, float] | None,
        typer.Option(help="folder: the values that become 0 and 255, instead."),
    ] = None,
    rgb_bands: Annotated[
        str | None,
        typer.Option(
            help="folder: numbers of the red, green and blue band, e.g. 4,3,2 for Sentinel-2. dual: NAME=4,3,2."
        ),
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

      keras-dhnn prepare coast --layout dual --source optical=my-optical --source radar=my-radar
    """
    layout = _layout(name, layout)
    if bool(source) + synthetic + download != 1:
        raise ValueError(
            "Give the archive by --source PATH (its folder, or the file as published), or write a synthetic twin by "
            "--synthetic, or fetch the archive by --download."
        )
    if layout == "dual" and scale:
        raise ValueError("--scale is for --layout folder: two sources have scales of their own. Use --percentiles.")
    unused = given_beside(context, *_USUAL, *(_twin_options(layout) if synthetic else _OPTIONS[layout]))
    if unused:
        of = f"the synthetic twin of {layout}" if synthetic else f"--layout {layout}"
        raise ValueError(f"No effect on {of}: {', '.join(unused)}. Leave that out.")
    if synthetic and name != layout:
        raise ValueError(f"A synthetic twin has its archive's name: keras-dhnn prepare {layout} --synthetic")
    bar, started = bars(quiet), time.monotonic()
    options = {
        "skip_damaged": skip_damaged,
        "image_size": _image_sizes(image_size),
        "percentiles": percentiles,
        "scale": scale,
        "rgb_bands": _numbers(rgb_bands),
    }
    options = {name: options[name] for name in _OPTIONS[layout]}
    goes_on = "goes on where it stopped" if download else "starts again; nothing half-written is left"
    with ends_well(f"The same command {goes_on}."):
        if synthetic:
            twin = {"per_class": per_class, "size": size or _SIZES.get(layout), "label_noise": label_noise}
            how = {name: twin[name] for name in _twin_options(layout)}
            prepared = prepare_twin(layout, data, bar, seed=seed, force=force, **how)
        else:
            source = _download(layout, data, bar) if download else _sources(layout, source)
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
    from keras_dhnn.pipelines.store.prepare import Prepared, find_prepared

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
        archive = _reader(layout)(Path(folder))
        archive = dataclasses.replace(archive, source={**archive.source, **source})
        return _write(archive, directory, seed, bar, force=force, synthetic=True)


_USUAL = ("name", "source", "layout", "synthetic", "download", "force", "seed")
# What the readers of the layouts take.
_FOLDERS = ("skip_damaged", "image_size", "percentiles", "scale", "rgb_bands")
_OPTIONS = {
    "ucmd": ("skip_damaged",),
    "ucmd-dual": ("skip_damaged",),
    "sat4": (),
    "dsrsid": (),
    "folder": _FOLDERS,
    "dual": tuple(name for name in _FOLDERS if name != "scale"),
}


def _twin_options(layout):
    """What the writer of a twin takes."""
    return {"sat4": ("size", "label_noise"), "dsrsid": ("size",)}.get(layout, ("per_class",))


def _sources(layout, sources):
    """The path of the archive, or of dual {name: path}."""
    if layout == "dual":
        named = dict(_named(source, "--source pan=DIR --source mul=DIR") for source in sources)
        if len(named) != 2 or len(sources) != 2:
            raise ValueError(
                "Expected two sources, each by a name of its own: --source pan=DIR --source mul=DIR. Received: "
                f"{' '.join(sources)}"
            )
        return {name: Path(path) for name, path in named.items()}
    if len(sources) != 1:
        raise ValueError(
            f"Expected one --source PATH. Received: {' '.join(sources)}. Two sources of the same ground take --layout "
            "dual."
        )
    return Path(sources[0])


def _image_sizes(sizes):
    """None, the side of all images, or {source: side}."""
    if not sizes:
        return None
    try:
        if len(sizes) == 1 and "=" not in sizes[0]:
            return int(sizes[0])
        return {name: int(size) for name, size in (_named(text, "--image-size pan=256") for text in sizes)}
    except ValueError:
        raise ValueError(
            "Expected a side in pixels, such as --image-size 64, or one for each source: --image-size pan=256 "
            f"--image-size mul=64. Received: {' '.join(sizes)}"
        ) from None


def _named(text, example):
    name, equals, value = text.partition("=")
    if not (equals and name and value):
        raise ValueError(f"Expected NAME=VALUE, such as {example}. Received: {text}")
    return name, value


def _layout(name, layout):
    if layout is None and name in ARCHIVES:
        return name
    if layout not in LAYOUTS:
        raise ValueError(
            f"How is the archive of {name!r} laid out? Expected --layout folder for images of yours, a folder a class, "
            f"--layout dual for pairs of yours, or one of the names {', '.join(ARCHIVES)}."
            + (f" Received: --layout {layout}" if layout else "")
        )
    return layout


def _reader(layout):
    if layout == "ucmd":
        from keras_dhnn.pipelines.datasets.ucmd import open_archive
    elif layout == "ucmd-dual":
        from keras_dhnn.pipelines.datasets.ucmd_dual import open_archive
    elif layout == "sat4":
        from keras_dhnn.pipelines.datasets.sat4 import open_archive
    elif layout == "dsrsid":
        from keras_dhnn.pipelines.datasets.dsrsid import open_archive
    elif layout == "dual":
        from keras_dhnn.pipelines.datasets.dual import open_archive
    else:
        from keras_dhnn.pipelines.datasets.folder import open_archive
    return open_archive


def _twin_writer(layout):
    if layout in ("ucmd", "ucmd-dual"):
        from keras_dhnn.pipelines.synthetic.ucmd_twin import write_ucmd

        return write_ucmd
    if layout == "sat4":
        from keras_dhnn.pipelines.synthetic.sat4_twin import write_sat4

        return write_sat4
    if layout == "dsrsid":
        from keras_dhnn.pipelines.synthetic.dsrsid_twin import write_dsrsid

        return write_dsrsid
    raise ValueError(f"There are synthetic twins of {', '.join(ARCHIVES)} only. Give your images by --source PATH.")


def _numbers(text):
    """None, (red, green, blue), or {source: (red, green, blue)}."""
    if text is None:
        return None
    name, equals, bands = text.rpartition("=")
    try:
        numbers = tuple(int(number) for number in bands.split(","))
    except ValueError:
        raise ValueError(f"Expected band numbers such as --rgb-bands 4,3,2. Received: {text!r}") from None
    return {name: numbers} if equals else numbers


def _write(archive, directory, seed, bar, **how):
    from keras_dhnn.pipelines.store.prepare import prepare as write

    with bar(f"Preparing {directory}", archive.count, "image") as update:
        return write(archive, directory, seed=seed, progress=lambda done, total: update(done), **how)


def _download(layout, data, bar):
    from keras_dhnn.pipelines.datasets import ucmd
    from keras_dhnn.pipelines.formats.download import download

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

"""Run `keras-dhnn prepare`: an archive to a prepared data set."""

import json
import shlex
import time
from pathlib import Path
from typing import Annotated

import typer

from keras_dhnn.cli.bars import bars
from keras_dhnn.cli.given import given_beside
from keras_dhnn.cli.interruption import ends_well
from keras_dhnn.cli.options import DataFolder, Json, LabelFile, Quiet
from keras_dhnn.cli.printing import printable
from keras_dhnn.errors import SettingError
from keras_dhnn.pipelines.datasets import PUBLISHED


def prepare(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(help=f"The data set: {', '.join(PUBLISHED)}, or a name of yours with --layout.", metavar="NAME"),
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
            help=f"How the archive is laid out: {', '.join(PUBLISHED)}, folder (a folder a class, any images), "
            "images (any tree, no classes), or dual (two such folders, an item's two images under the same name); "
            "by default as the name says."
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
            help="Items of the twin of sat4 (20000; up to 500000), dsrsid (2400; 16 to 80000), bigearthnet (600) or "
            "dfc15 (400).",
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
            help="folder, images, dual, dfc15: side in pixels of the stored images; by default the median, at most "
            "256. dual: of one source by NAME=N.",
            metavar="N",
        ),
    ] = None,
    percentiles: Annotated[
        tuple[float, float],
        typer.Option(
            help="folder, images, dual, bigearthnet: percentiles of each band that become 0 and 255, where images are "
            "not uint8."
        ),
    ] = (1.0, 99.0),
    scale: Annotated[
        tuple[float, float] | None,
        typer.Option(help="folder, images: the values that become 0 and 255, instead."),
    ] = None,
    rgb_bands: Annotated[
        str | None,
        typer.Option(
            help="folder, images: numbers of the red, green and blue band, e.g. 4,3,2 for Sentinel-2. dual: NAME=4,3,2."
        ),
    ] = None,
    grey_to_rgb: Annotated[
        bool,
        typer.Option("--grey-to-rgb", help="folder, dual: take grey images among those of three bands as RGB."),
    ] = False,
    labels: LabelFile = None,
    zip_encoding: Annotated[
        str | None,
        typer.Option(help="folder, dual: code page of the names in a zip, e.g. gbk, where they do not say it."),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Only compare what is prepared under this name with its checksums.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace what was prepared before.")] = False,
    data: DataFolder = Path("data"),
    seed: Annotated[int, typer.Option(min=0, help="Of the synthetic images and of the order in the shards.")] = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Turn an image archive into TFRecord shards under DATA/NAME.

    Examples:

      keras-dhnn prepare ucmd --source UCMerced_LandUse.zip

      keras-dhnn prepare ucmd --synthetic

      keras-dhnn prepare harbours --layout folder --source my-images

      keras-dhnn prepare archive --layout images --source my-images --labels labels.csv

      keras-dhnn prepare coast --layout dual --source optical=my-optical --source radar=my-radar
    """
    from keras_dhnn.pipelines.datasets import load_dataset
    from keras_dhnn.workflows import prepare as workflow

    if verify:
        _verify(context, name, data, as_json)
        return
    layout = workflow.check_layout(name, layout)
    if layout == "dual" and scale:
        raise SettingError("--scale is for --layout folder: two sources have scales of their own. Use --percentiles.")
    used = workflow.options_of(layout, synthetic)
    unused = given_beside(context, *_USUAL, *used)
    if unused:
        of = f"the synthetic twin of {layout}" if synthetic else f"--layout {layout}"
        raise SettingError(f"No effect on {of}: {', '.join(unused)}. Leave that out.")
    options = {
        "skip_damaged": skip_damaged,
        "image_size": _image_sizes(image_size),
        "percentiles": percentiles,
        "scale": scale,
        "rgb_bands": _numbers(rgb_bands),
        "grey_to_rgb": grey_to_rgb,
        "zip_encoding": zip_encoding,
        "per_class": per_class,
        "size": size,
        "label_noise": label_noise,
    }
    options = {name: options[name] for name in used if options[name] is not None}
    goes_on = "goes on where it stopped" if download else "starts again; nothing half-written is left"
    started = time.monotonic()
    with ends_well(f"The same command {goes_on}."):
        prepared = workflow.prepare(
            name,
            _sources(load_dataset(layout).sources, source) if source else None,
            layout=layout,
            synthetic=synthetic,
            download=download,
            data=data,
            seed=seed,
            force=force,
            labels=labels,
            bar=bars(quiet),
            **options,
        )
    _report(prepared, time.monotonic() - started, as_json)


def _verify(context, name, data, as_json):
    from keras_dhnn.workflows.prepare import verify

    unused = given_beside(context, "name", "verify")
    if unused:
        raise SettingError(f"--verify looks at what is prepared already. Leave out {', '.join(unused)}.")
    info = verify(name, data)
    files, size = len(info.shards) + 1, sum(file.bytes for file in (*info.shards, info.items_file))
    if as_json:
        print(json.dumps({"directory": str(info.directory), "files": files, "bytes": size, "checksum": info.checksum}))
    else:
        print(f"{info.directory}: {files} files, {size:,} bytes, {info.count} images are as they were written.")


_USUAL = ("name", "source", "layout", "synthetic", "download", "force", "labels", "seed")


def _sources(several, sources):
    """Return the path of the archive, or {name: path} of several."""
    if several:
        named = dict(_named(source, "--source pan=DIR --source mul=DIR") for source in sources)
        if len(named) != 2 or len(sources) != 2:
            raise SettingError(
                "Expected two sources, each by a name of its own: --source pan=DIR --source mul=DIR. Received: "
                f"{' '.join(sources)}"
            )
        return {name: Path(path) for name, path in named.items()}
    if len(sources) != 1:
        raise SettingError(
            f"Expected one --source PATH. Received: {' '.join(sources)}. Two sources of the same ground take --layout "
            "dual."
        )
    return Path(sources[0])


def _image_sizes(sizes):
    """Return none, the side of all images, or {source: side}."""
    if not sizes:
        return None
    try:
        if len(sizes) == 1 and "=" not in sizes[0]:
            return int(sizes[0])
        return {name: int(size) for name, size in (_named(text, "--image-size pan=256") for text in sizes)}
    except ValueError:
        raise SettingError(
            "Expected a side in pixels, such as --image-size 64, or one for each source: --image-size pan=256 "
            f"--image-size mul=64. Received: {' '.join(sizes)}"
        ) from None


def _named(text, example):
    name, equals, value = text.partition("=")
    if not (equals and name and value):
        raise SettingError(f"Expected NAME=VALUE, such as {example}. Received: {text}")
    return name, value


def _numbers(text):
    """Return none, (red, green, blue), or {source: (red, green, blue)}."""
    if text is None:
        return None
    name, equals, bands = text.rpartition("=")
    try:
        numbers = tuple(int(number) for number in bands.split(","))
    except ValueError:
        raise SettingError(f"Expected band numbers such as --rgb-bands 4,3,2. Received: {text!r}") from None
    return {name: numbers} if equals else numbers


def _of_classes(info):
    """Return what is known of the images' classes, in words."""
    labels = int(info.known.sum())
    if labels == info.count and info.label_sets is not None:
        return f" with {len(info.label_sets.classes)} labels, several an image,"
    if labels == info.count:
        return f" of {len(info.classes)} classes"
    return f", {labels} of them with labels," if labels else " without labels"


def _report(prepared, seconds, as_json):
    info, fresh = prepared
    result = {
        "directory": str(info.directory),
        "images": info.count,
        "classes": len(info.classes),
        "labels": int(info.known.sum()),
        "skipped": info.skipped,
        "checksum": info.checksum,
        "synthetic": info.synthetic,
        "written": fresh,
        "images_per_second": info.count / seconds if fresh else None,
        "notes": info.origin.get("notes", []),
    }
    if as_json:
        print(json.dumps(result))
        return
    if not fresh:
        print(f"{info.directory} is there already, made from the same source: nothing to do.")
        return
    rate = result["images_per_second"]
    print(f"{info.count} images{_of_classes(info)} in {info.directory} ({rate:.0f} images a second).")
    for note in result["notes"]:
        print(printable(note, lines=True))
    for name, reason in info.skipped:
        print(printable(f"Left out: {name} {reason}"))
    place = info.directory.parent
    elsewhere = "" if place == Path("data") else f" --data {shlex.quote(str(place))}"
    print(f"Next: keras-dhnn fit {shlex.quote(info.name)}{elsewhere}")

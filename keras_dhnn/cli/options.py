"""Declare options that mean the same in every verb."""

from pathlib import Path
from typing import Annotated

import typer

DataFolder = Annotated[Path, typer.Option("--data", help="Folder of the prepared data sets.", metavar="DIR")]
RunsFolder = Annotated[Path, typer.Option("--runs", help="Folder of the runs.", metavar="DIR")]
RunPath = Annotated[Path, typer.Argument(help="Folder of a run, such as runs/ucmd-paper-64.", metavar="RUN")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Neither progress nor notices on stderr; errors alone.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Bits = Annotated[int | None, typer.Option(help="Length of the hash codes, a multiple of 8.")]
Protocol = Annotated[
    str | None,
    typer.Option(
        help="paper: queries at random among all rotated images, as published (it leaks: nearly every query has a "
        "rotated copy in the database). grouped: by original image, the honest one. standard: as grouped, but only "
        "images as they are stored search and are searched, as in most work since 2018."
    ),
]
Queries = Annotated[
    float | None,
    typer.Option(
        help="How many images search: a share such as 0.1, or a whole number. grouped and standard: of each class "
        "that share, a number in proportion to its size; of images with several labels that share or number of all. "
        "By default the data set's own: paper 1000 of ucmd, ucmd-dual and sat4, a sixteenth of dsrsid; grouped and "
        "standard 0.2 of ucmd and ucmd-dual; 0.1 of each class of a folder.",
        metavar="N",
    ),
]
SplitFile = Annotated[
    Path | None,
    typer.Option(
        "--split",
        help="Names of the queries, one a line, the other images being the database; or NAME,PART lines with parts "
        "query (or test), database (or train) and validation; or published, the archive's own, if it has one. The "
        "protocol is then standard.",
        metavar="FILE",
    ),
]
Backbone = Annotated[
    list[str] | None,
    typer.Option(
        help="efficientnet_lite0, or slower efficientnet_lite1 and efficientnet_lite2 (ImageNet weights, by pip), "
        "cnn_f (the paper's), sat4_cnn (the paper's, for patches of some dozen pixels), any Keras application such as "
        "MobileNetV2, package.module:function; or several side by side, efficientnet_lite0+efficientnet_lite2. Of two "
        "sources: one for both, or --backbone pan=pan_cnn --backbone mul=mul_cnn.",
        metavar="NAME",
    ),
]
Seed = Annotated[
    int | None, typer.Option(min=0, help="Of the split, the initial weights, the order, and what a search tries.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Change a setting, e.g. --set loss.eta=0.2; repeat it for more. All are explained under Settings in the "
        "reference of the library (docs), and by: python -m pydoc keras_dhnn.config",
        metavar="FIELD=VALUE",
    ),
]
Cache = Annotated[
    Path | None,
    typer.Option(
        help="Where to keep what is computed once, such as the frozen layers' outputs: by default beside the data "
        "sets, or in ~/.cache/keras-dhnn where these cannot be written. KERAS_DHNN_CACHE says the same.",
        metavar="DIR",
    ),
]
Config = Annotated[
    Path | None, typer.Option(help="An experiment as JSON, such as a run's experiment.json.", metavar="FILE")
]
Synthetic = Annotated[
    bool,
    typer.Option("--synthetic", help="Make and use a synthetic twin of the data set: needs no data, no network."),
]
LabelFile = Annotated[
    Path | None,
    typer.Option(
        "--labels",
        help="A table of labels, CSV or Parquet: a column of image names, one of labels (a|b for several) or one of 0 "
        "and 1 for each class. Images that it does not name have no label.",
        metavar="FILE",
    ),
]

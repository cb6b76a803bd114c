"""Run `keras-dhnn serve`: an exported model behind TensorFlow Serving's REST API, for development."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from keras_dhnn.errors import MissingPackage


def serve(
    export: Annotated[Path, typer.Argument(help="Folder of an exported model, RUN/export/NAME.", metavar="EXPORT")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="TCP port; 0 for any that is free.")] = 8501,
    host: Annotated[str, typer.Option(help="Address to listen at; by default only this machine reaches it.")] = (
        "127.0.0.1"
    ),
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            help="Another name by which it may be asked, such as that of a proxy before it; repeat it for more. * is "
            "any: then web pages may ask it too.",
            metavar="NAME",
        ),
    ] = None,
    max_body: Annotated[int, typer.Option(min=1, help="Megabytes that a request may have.")] = 32,
    max_batch: Annotated[int, typer.Option(min=1, help="Items that a request may have.")] = 256,
) -> None:
    """Serve an exported model by TensorFlow Serving's REST API, for development; follows new versions.

    An export is a program: whatever operations are in its graph run here when it is loaded and asked, and they can read
    and write files as you can. Serve only exports whose origin you know.

    Ask it: keras-dhnn query --server http://localhost:8501/v1/models/NAME IMAGE
    """
    try:
        from keras_dhnn.saved_models.serving.connections import listen
        from keras_dhnn.saved_models.serving.hosts import Hosts
        from keras_dhnn.saved_models.serving.server import server
    except ImportError as error:
        raise MissingPackage(f"The server needs packages ({error}). Run: pip install 'keras-dhnn[serving]'") from error
    from keras_dhnn.saved_models.serving.served_model import ServedModel

    model = ServedModel(export)
    model.follow()
    listening = listen(host, port)
    address = f"[{host}]" if ":" in host else host
    url = f"http://{address}:{listening.getsockname()[1]}/v1/models/{model.name}"
    print(f"Serving version {model.version().number} at {url}", file=sys.stderr, flush=True)
    hosts = Hosts(host, allow_host or ())
    server(model, hosts=hosts, max_body=max_body << 20, max_batch=max_batch).run(sockets=[listening])

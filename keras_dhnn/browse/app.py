"""Put the page together: which address gives what. Work is done in threads, so that no request stops another."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import anyio
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from keras_dhnn.browse import asking, looking, marking, selecting
from keras_dhnn.browse.bodies import MOST_UPLOAD, read_body, read_json
from keras_dhnn.browse.guard import Guard
from keras_dhnn.browse.page import Page
from keras_dhnn.browse.refusal import Refusal
from keras_dhnn.errors import KerasDhnnError
from keras_dhnn.saved_models.serving.hosts import Hosts

STATIC = Path(__file__).parent / "static"
# Pictures made at a time: a wall of them must not keep searches waiting.
_PICTURES_AT_A_TIME = 4
_FOR_GOOD = {"cache-control": "private, max-age=31536000, immutable"}
_FRESH = {"cache-control": "no-store"}
_CHUNK = 1 << 18


def make_app(page: Page, hosts: Hosts | None = None) -> ASGIApp:
    """Return the ASGI application that shows a page.

    Args:
        page: the `Page`.
        hosts: `Hosts` by which it may be asked; None: this machine's own names.
    """
    handlers = {Refusal: _refused, KerasDhnnError: _refused, HTTPException: _refused, Exception: _broken}
    app = Starlette(
        routes=[*_reading(page), *_searches(page), *_taking(page), *_files()],
        exception_handlers={**handlers, ClientDisconnect: _gone},
    )
    return Guard(app, hosts or Hosts(), page.token)


def _reading(page):
    """Return the routes that look and search."""
    limiter: list[anyio.CapacityLimiter] = []

    def picture(draw: Callable) -> Callable:
        async def endpoint(request: Request) -> Response:
            if not limiter:  # it belongs to the loop that runs
                limiter.append(anyio.CapacityLimiter(_PICTURES_AT_A_TIME))
            content = await anyio.to_thread.run_sync(draw, page, request.query_params, limiter=limiter[0])
            return Response(content, media_type="image/webp", headers=_FOR_GOOD)

        return endpoint

    def answer(make: Callable) -> Callable:
        async def endpoint(request: Request) -> Response:
            return _json(await run_in_threadpool(make, page, request.query_params))

        return endpoint

    async def upload(request: Request) -> Response:
        content = await read_body(request, MOST_UPLOAD)
        return _json(await run_in_threadpool(asking.add_upload, page, request.query_params, content), 201)

    async def box(request: Request) -> Response:
        kinds = {"source": str, "scene": str, "row": int, "col": int, "height": int, "width": int}
        return _json(await run_in_threadpool(asking.add_box, page, await read_json(request, kinds)), 201)

    return [
        Route("/api/about", answer(lambda page, _: looking.about(page))),
        Route("/api/tiles", answer(looking.tiles)),
        Route("/api/facets", answer(looking.facets)),
        Route("/api/map", answer(looking.similarity_map)),
        Route("/api/footprints", answer(looking.footprints)),
        Route("/api/scenes", answer(looking.scenes)),
        Route("/api/search", answer(asking.search)),
        Route("/api/thumb", picture(looking.thumb)),
        Route("/api/upload-thumb", picture(looking.upload_thumb)),
        Route("/api/overview", picture(looking.overview)),
        Route("/api/upload", upload, methods=["POST"]),
        Route("/api/box", box, methods=["POST"]),
    ]


def _searches(page):
    """Return the routes of named searches."""
    taught = {"limit": int, "filters": str}

    async def every(request: Request) -> Response:
        if request.method == "GET":
            return _json(await run_in_threadpool(marking.all_searches, page))
        body = await read_json(request, {"name": str, "source": str, "query": str})
        return _json(await run_in_threadpool(marking.create, page, body), 201)

    async def one(request: Request) -> Response:
        name = request.path_params["name"]
        if request.method == "GET":
            return _json(await run_in_threadpool(marking.show, page, name))
        if request.method == "DELETE":
            return _json(await run_in_threadpool(marking.delete, page, name))
        return _json(await run_in_threadpool(marking.rename, page, name, await read_json(request, {"name": str})))

    async def mark(request: Request) -> Response:
        body = await read_json(request, {"marks": dict, **taught})
        return _json(await run_in_threadpool(marking.mark, page, request.path_params["name"], body))

    def move(by: int) -> Callable:
        async def endpoint(request: Request) -> Response:
            body = await read_json(request, taught)
            return _json(await run_in_threadpool(marking.move, page, request.path_params["name"], by, body))

        return endpoint

    async def results(request: Request) -> Response:
        name = request.path_params["name"]
        return _json(await run_in_threadpool(marking.results, page, name, request.query_params))

    async def labels(request: Request) -> Response:
        name = request.path_params["name"]
        content, file = await run_in_threadpool(marking.labels, page, name, request.query_params)
        return Response(content, media_type="text/csv", headers=_download(file))

    return [
        Route("/api/searches", every, methods=["GET", "POST"]),
        Route("/api/searches/{name}", one, methods=["GET", "PATCH", "DELETE"]),
        Route("/api/searches/{name}/marks", mark, methods=["POST"]),
        Route("/api/searches/{name}/undo", move(-1), methods=["POST"]),
        Route("/api/searches/{name}/redo", move(+1), methods=["POST"]),
        Route("/api/searches/{name}/results", results),
        Route("/api/searches/{name}/labels.csv", labels),
    ]


def _taking(page):
    """Return the route by which a selection is taken away."""

    async def export(request: Request) -> Response:
        kinds = {"format": str, "source": str, "ids": list, "view": str, "limit": int}
        content, kind, name = await run_in_threadpool(selecting.take, page, await read_json(request, kinds))
        if isinstance(content, bytes):
            return Response(content, media_type=kind, headers=_download(name))
        return StreamingResponse(_chunks(content), media_type=kind, headers=_download(name))

    return [Route("/api/export", export, methods=["POST"])]


def _files():
    """Return the routes of the front end's own files."""

    async def index(request: Request) -> Response:
        return FileResponse(STATIC / "index.html", headers={"cache-control": "no-cache"})

    return [Route("/", index), Mount("/static", StaticFiles(directory=STATIC, check_dir=False))]


async def _refused(request, error):
    if isinstance(error, KerasDhnnError):
        error = Refusal.of(error)
    if isinstance(error, HTTPException):
        error = Refusal(error.status_code, "not_found" if error.status_code == 404 else "setting", error.detail)
    return _json(error.to_json(), error.status)


async def _broken(request, error):
    return _json(Refusal(500, "internal", f"This should not happen: {type(error).__name__}: {error}").to_json(), 500)


async def _gone(request, error):
    return Response(status_code=499)  # nobody is there to read it


def _json(value, status=200):
    return JSONResponse(value, status, headers=_FRESH)


def _download(name):
    return {**_FRESH, "content-disposition": f"attachment; filename*=UTF-8''{quote(name)}"}


def _chunks(file):
    with contextlib.closing(file):
        while chunk := file.read(_CHUNK):
            yield chunk

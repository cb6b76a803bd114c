"""Put the page together: which address gives what. Work is done in threads, so that no request stops another."""

import contextlib
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
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


# What may stand in the bodies of requests, see `read_json`.
_BOX = {"source": str, "scene": str, "row": int, "col": int, "height": int, "width": int}
_SEARCH, _NAME = {"name": str, "source": str, "query": str}, {"name": str}
_TAUGHT = {"limit": int, "filters": str}
_TAKEN = {"format": str, "source": str, "ids": list, "view": str, "limit": int}


def make_app(page: Page, hosts: Hosts | None = None) -> ASGIApp:
    """Return the ASGI application that shows a page.

    Args:
        page: the `Page`.
        hosts: `Hosts` by which it may be asked; None: this machine's own names.
    """
    handlers: dict[Any, Any] = {Exception: _broken, ClientDisconnect: _gone}
    handlers |= dict.fromkeys((Refusal, KerasDhnnError, HTTPException), _refused)
    app = Starlette(routes=[*_looking(page), *_asking(page), *_teaching(page), *_files()], exception_handlers=handlers)
    return Guard(app, hosts or Hosts(), page.token)


def _looking(page):
    pictures = _Pictures(page)
    return [
        Route("/api/about", _get(page, looking.about)),
        Route("/api/tiles", _get(page, looking.tiles)),
        Route("/api/facets", _get(page, looking.facets)),
        Route("/api/map", _get(page, looking.similarity_map)),
        Route("/api/footprints", _get(page, looking.footprints)),
        Route("/api/scenes", _get(page, looking.scenes)),
        Route("/api/thumb", pictures.drawn_by(looking.thumb)),
        Route("/api/upload-thumb", pictures.drawn_by(looking.upload_thumb)),
        Route("/api/overview", pictures.drawn_by(looking.overview)),
    ]


def _asking(page):
    async def upload(request: Request) -> Response:
        content = await read_body(request, MOST_UPLOAD)
        return _json(await run_in_threadpool(asking.add_upload, page, request.query_params, content), 201)

    async def export(request: Request) -> Response:
        return _download(*await run_in_threadpool(selecting.take, page, await read_json(request, _TAKEN)))

    return [
        Route("/api/search", _get(page, asking.search)),
        Route("/api/upload", upload, methods=["POST"]),
        Route("/api/box", _change(page, asking.add_box, _BOX, 201), methods=["POST"]),
        Route("/api/export", export, methods=["POST"]),
    ]


def _teaching(page):
    async def labels(request: Request) -> Response:
        name = request.path_params["name"]
        return _download(*await run_in_threadpool(marking.labels, page, name, request.query_params))

    one = "/api/searches/{name}"
    return [
        Route("/api/searches", _get(page, marking.all_searches)),
        Route("/api/searches", _change(page, marking.create, _SEARCH, 201), methods=["POST"]),
        Route(one, _get(page, marking.show)),
        Route(one, _change(page, marking.rename, _NAME), methods=["PATCH"]),
        Route(one, _get(page, marking.delete), methods=["DELETE"]),
        Route(f"{one}/marks", _change(page, marking.mark, {"marks": dict, **_TAUGHT}), methods=["POST"]),
        Route(f"{one}/undo", _change(page, marking.undo, _TAUGHT), methods=["POST"]),
        Route(f"{one}/redo", _change(page, marking.redo, _TAUGHT), methods=["POST"]),
        Route(f"{one}/results", _get(page, marking.results)),
        Route(f"{one}/labels.csv", labels),
    ]


def _files():
    """Return the routes of the front end's own files."""

    async def index(request: Request) -> Response:
        return FileResponse(STATIC / "index.html", headers={"cache-control": "no-cache"})

    return [Route("/", index), Mount("/static", StaticFiles(directory=STATIC, check_dir=False))]


def _get(page, make):
    """Return what answers by `make(page, what stands in the path, parameters)`, in a thread."""

    async def endpoint(request: Request) -> Response:
        return _json(await run_in_threadpool(partial(make, page, *request.path_params.values(), request.query_params)))

    return endpoint


def _change(page, make, kinds, status=200):
    """Return what answers by `make(page, what stands in the path, body)`, in a thread."""

    async def endpoint(request: Request) -> Response:
        body = await read_json(request, kinds)
        return _json(await run_in_threadpool(partial(make, page, *request.path_params.values(), body)), status)

    return endpoint


class _Pictures:
    """Answer with pictures, a few at a time."""

    def __init__(self, page: Page):
        self._page = page
        self._limiter: anyio.CapacityLimiter | None = None

    def drawn_by(self, draw: Callable[[Page, QueryParams], bytes]) -> Callable[[Request], Awaitable[Response]]:
        """Return what answers by the picture `draw(page, parameters)`."""

        async def endpoint(request: Request) -> Response:
            if self._limiter is None:  # it belongs to the loop that runs
                self._limiter = anyio.CapacityLimiter(_PICTURES_AT_A_TIME)
            content = await anyio.to_thread.run_sync(draw, self._page, request.query_params, limiter=self._limiter)
            return Response(content, media_type="image/webp", headers=_FOR_GOOD)

        return endpoint


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


def _download(content, kind, name):
    """Return the answer that is a file: its bytes, or an open one, which is closed."""
    headers = {**_FRESH, "content-disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
    if isinstance(content, bytes):
        return Response(content, media_type=kind, headers=headers)
    return StreamingResponse(_chunks(content), media_type=kind, headers=headers)


def _chunks(file):
    with contextlib.closing(file):
        while chunk := file.read(_CHUNK):
            yield chunk

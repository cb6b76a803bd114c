"""Talk to TensorFlow Serving's REST API, for models that keras-dhnn exported."""

import base64
import contextlib
import http.client
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from keras_dhnn.errors import SettingError

if TYPE_CHECKING:
    import numpy as np

_URL = re.compile(r"https?://[^/]+(?:/.*)?/v1/models/[^/:]+(?:/versions/\d+)?")
TIMEOUT = 60.0
# Bytes of an answer: what a million results take that have long names.
MOST_BYTES = 256 << 20
# Values, lists and objects of an answer, which take ten to thirty times the memory of their text.
_MOST_VALUES = 1 << 24
_MOST_ERROR = 1 << 20
_REDIRECTS = (301, 302, 303, 307, 308)


class RestClient:
    """Ask one model behind a URL.

    Args:
        url: such as `http://localhost:8501/v1/models/ucmd`, also with `/versions/3` behind it.
        timeout: seconds that an answer may take.

    Raises:
        SettingError: if `url` is no such URL.
    """

    def __init__(self, url: str, timeout: float = TIMEOUT) -> None:
        self.url, self.timeout = url.rstrip("/"), timeout
        if not _URL.fullmatch(self.url):
            raise SettingError(
                f"Expected the URL of a model, such as http://localhost:8501/v1/models/ucmd. Received: {url}"
            )

    def metadata(self) -> dict[str, Any]:
        """Return `{signature: {"inputs": ..., "outputs": ...}}`, as TensorFlow Serving describes them.

        Raises:
            SettingError: if there is no such server or model; so do the other methods.
        """
        answer = self._ask("/metadata")
        with self._reading():
            return dict(answer["metadata"]["signature_def"]["signature_def"])

    def channels(self, signature: str = "serving_default", signatures: Mapping[str, Any] | None = None) -> int:
        """Return how many bands the images have that a signature takes.

        Args:
            signature: its name.
            signatures: what `metadata` gave, if it was asked before.

        Raises:
            SettingError: if there is no such signature, or it takes no images.
        """
        signatures = signatures or self.metadata()
        try:
            return int(signatures[signature]["inputs"]["images"]["tensor_shape"]["dim"][-1]["size"])
        except (LookupError, TypeError, ValueError) as error:
            raise SettingError(f"{self.url} takes no images: its signatures are {', '.join(signatures)}.") from error

    def predict(self, signature: str, instances: Sequence[Mapping[str, Any]]) -> list:
        """Return the predictions for a list of instances, one each."""
        answer = self._ask(":predict", {"signature_name": signature, "instances": instances})
        with self._reading():
            return [prediction for prediction, _ in zip(answer["predictions"], instances, strict=True)]

    def search_files(
        self, contents: Iterable[bytes], k: int, signature: str = "search_bytes", **more: Any
    ) -> list[list[dict[str, Any]]]:
        """Return the nearest items of each image file.

        Args:
            contents: list of bytes, PNG or JPEG files.
            k: how many items.
            signature: the one to use, `FROM_to_TO_bytes` of models with several sources.
            **more: other inputs of the signature, such as `class_name` of `search_in_class_bytes`.

        Returns:
            A list for each file: dictionaries `id`, `distance`, `label` (-1: not known) and `class`.
        """
        instances = [
            {"image_bytes": {"b64": base64.b64encode(content).decode()}, "k": k, **more} for content in contents
        ]
        return self._search(signature, instances)

    def search_images(
        self, images: "Iterable[np.ndarray]", k: int, signature: str = "serving_default", **more: Any
    ) -> list[list[dict[str, Any]]]:
        """Return the same for `(B, H, W, C)` pixels in the stored units."""
        instances = [{"images": image.tolist(), "k": k, **more} for image in images]
        return self._search(signature, instances)

    def _search(self, signature, instances):
        predictions = self.predict(signature, instances)
        with self._reading():
            return [_items(prediction) for prediction in predictions]

    @contextlib.contextmanager
    def _reading(self):
        """Refuse other JSON, in which what is read of an answer is not there or of another type."""
        try:
            yield
        except (LookupError, TypeError, ValueError) as error:
            raise SettingError(
                f"{self.url} did not answer as TensorFlow Serving's REST API does for a model that keras-dhnn exported."
            ) from error

    def _ask(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})
        try:
            with _OPENER.open(request, timeout=self.timeout) as answer:
                content = answer.read(MOST_BYTES + 1)
            if len(content) > MOST_BYTES:
                raise SettingError(f"{self.url} answered more than {MOST_BYTES:,} bytes. Ask for fewer results.")
            if sum(content.count(sign) for sign in (b",", b"[", b"{")) > _MOST_VALUES:
                raise SettingError(f"{self.url} answered more than {_MOST_VALUES:,} values. Ask for fewer results.")
            return json.loads(content)
        except urllib.error.HTTPError as error:
            raise SettingError(f"{self.url} answered {error.code}: {_message(error)}") from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise SettingError(f"No answer from {self.url}: {reason}. Is the server running?") from error
        except SettingError:  # a ValueError too
            raise
        except (ValueError, RecursionError) as error:
            raise SettingError(f"{self.url} did not answer in JSON: is it TensorFlow Serving's REST API?") from error


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Refuse answers that send to another server than the one that the user has named."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if _server_of(newurl) != _server_of(req.full_url):
            return None  # which makes the answer an error, as it came
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _server_of(url):
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.netloc


_OPENER = urllib.request.build_opener(_SameHost)


def _message(error):
    if error.code in _REDIRECTS:
        return f"it sends elsewhere, to {error.headers.get('Location')}. If you trust that server, name it by --server."
    text = error.read(_MOST_ERROR).decode(errors="replace")
    try:
        return json.loads(text)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return text[:200] or error.reason


def _items(answer):
    """Return the items of one answer, without the empty places behind them."""
    columns = zip(answer["ids"], answer["distances"], answer["labels"], answer["classes"], strict=True)
    return [
        {"id": key, "distance": distance, "label": label, "class": name}
        for key, distance, label, name in columns
        if distance >= 0
    ]

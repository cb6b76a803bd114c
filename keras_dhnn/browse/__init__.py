"""Show an archive as a web page: search it by picture, teach it by clicking, take the result away.

`make_app(page)` is where to begin; a `Page` is what it shows. Nothing here encodes images: who opens a page hands in
what does. Its front end is written in `web/` and built into `static/`.
"""

from keras_dhnn.browse.app import make_app
from keras_dhnn.browse.page import Page

__all__ = ["Page", "make_app"]

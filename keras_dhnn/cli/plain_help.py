"""Leave out of the help what only a programmer reads."""

import re
from typing import Any

from typer.core import TyperCommand


class PlainHelp(TyperCommand):
    """Describe a verb whose arguments are listed without types such as `<list[Path]>`: names say what they are."""

    def get_help(self, ctx: Any) -> str:
        """Return the help; columns stay as wide as they were."""
        return re.sub(r"<list\[\w+\]>", lambda found: " " * len(found.group()), super().get_help(ctx))

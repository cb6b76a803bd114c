"""Make a condition that a stranger wrote safe: parse it, check it against a list of what may stand in it, write it
anew.

No text of the user's ever reaches a database: only what our parser understood, and only comparisons, arithmetic and a
few functions of the archive's own columns.
"""

import datetime
from collections.abc import Sequence

from keras_dhnn.archive.labels import SEPARATOR
from keras_dhnn.archive.schema import FEATURES
from keras_dhnn.errors import SettingError

# West, south, east, north in degrees; start and end in ISO 8601.
Box = tuple[float, float, float, float]
Times = tuple[str | None, str | None]
_LONGEST_SHOWN = 200
_BOX = ("xmin", "ymin", "xmax", "ymax")
# Names of sqlglot's expression classes.
_LOGIC = {"And", "Or", "Not", "Paren", "Between", "In", "Is", "Null", "Boolean", "Literal", "Column", "Identifier"}
_COMPARISONS = {"EQ", "NEQ", "GT", "GTE", "LT", "LTE", "NullSafeEQ", "NullSafeNEQ", "Like", "ILike"}
_ARITHMETIC = {"Neg", "Add", "Sub", "Mul", "Div", "Mod", "Abs", "Cast", "DataType", "Case", "If", "Coalesce"}
_FUNCTIONS = {"Lower", "Upper", "Length", "Year", "Month", "Day", "StrPosition", "DPipe"}
# What is true or false by itself.
_TRUTHS = _COMPARISONS | {"And", "Or", "Not", "Between", "In", "Is", "Null", "Boolean"}
_ALLOWED = _LOGIC | _COMPARISONS | _ARITHMETIC | _FUNCTIONS
_TYPES = ("TIMESTAMP", "TIMESTAMPTZ", "DATE", "INT", "BIGINT", "DOUBLE", "TEXT", "VARCHAR", "BOOLEAN")


def make_condition(text: str, columns: Sequence[str]) -> str:
    """Return a condition as an SQL expression that is safe to run.

    Args:
        text: what the user wrote, such as `label = 'forest' and time > '2020-01-01'`.
        columns: names of the columns that it may be about.

    Returns:
        The expression as DuckDB writes it, in brackets.

    Raises:
        SettingError: if it cannot be parsed, anything but the columns, constants, comparisons, arithmetic and the
            functions lower, upper, length, year, month, day, abs, coalesce and has_label stands in it, or something
            else than a comparison stands where one must, such as a column alone.
    """
    try:
        expression = _parse(text, columns).transform(_has_label, text, columns)
        for node in expression.walk():
            _check_node(node, text, columns)
        for node in _conditions(expression):
            if not _is_truth(node):
                shown = node.sql(dialect="duckdb")
                raise SettingError(_refusal(text, f"{shown!r} is neither true nor false: compare it", columns))
        return f"({expression.sql(dialect='duckdb', comments=False)})"
    except RecursionError as error:
        raise SettingError(_refusal(text, "It is nested too deeply", columns)) from error


def columns_in(text: str, columns: Sequence[str]) -> list[str]:
    """Return which of the columns a condition that `make_condition` allows is about, in order."""
    from sqlglot import exp

    expression = _parse(text, columns).transform(_has_label, text, columns)
    named = {column.parts[0].name.lower() for column in expression.find_all(exp.Column)}
    return [name for name in columns if name in named]


def box_condition(box: Box) -> str:
    """Return the condition that an item's footprint meets a bounding box.

    Args:
        box: west, south, east, north in degrees; west above east: across the 180th meridian.

    Raises:
        SettingError: if these are not four such numbers.
    """
    west, south, east, north = values = [float(value) for value in box]
    if not (south <= north and all(abs(value) <= 180 for value in values) and max(abs(south), abs(north)) <= 90):
        raise SettingError(
            "Expected a bounding box as west, south, east, north in degrees, south not above north. Received: "
            f"{', '.join(f'{value:g}' for value in values)}"
        )
    joined = "AND" if west <= east else "OR"
    return (
        f"(bbox.ymax >= {south!r} AND bbox.ymin <= {north!r} AND "
        f"(bbox.xmax >= {west!r} {joined} bbox.xmin <= {east!r}))"
    )


def time_condition(start: str | None, end: str | None) -> str | None:
    """Return the condition that an item's time lies in `start` <= time < `end`; either may be None.

    Args:
        start: ISO 8601 date or time; UTC where it names no zone.
        end: the same.

    Raises:
        SettingError: if one is no such text.
    """
    parts = [
        f"time {sign} CAST('{_utc(value)}' AS TIMESTAMP)"
        for sign, value in ((">=", start), ("<", end))
        if value is not None
    ]
    return f"({' AND '.join(parts)})" if parts else None


def _utc(value):
    try:
        moment = datetime.datetime.fromisoformat(str(value).replace("Z", "+00:00"))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=datetime.timezone.utc)
        moment = moment.astimezone(datetime.timezone.utc)
    except (ValueError, OverflowError) as error:  # the latter within hours of the years 1 and 9999
        raise SettingError(f"Expected a time such as 2020-01-31 or 2020-01-31T12:00. Received: {value!r}") from error
    return moment.replace(tzinfo=None).isoformat(" ", "microseconds")


def _parse(text, columns):
    import sqlglot
    from sqlglot.errors import SqlglotError
    from sqlglot.tokens import TokenType

    try:
        tokens = sqlglot.tokenize(text, dialect="duckdb")
        for token in tokens:
            # `row` begins a type and `time` a constant, were they not marked as names.
            if token.token_type != TokenType.STRING and token.text.lower() in columns:
                token.token_type = TokenType.IDENTIFIER
        found = sqlglot.Dialect.get_or_raise("duckdb").parser().parse(tokens, text)
    except SqlglotError as error:
        reason = str(error).splitlines()[0].split(". Line")[0]
        raise SettingError(_refusal(text, reason, columns)) from error
    if len(found) != 1 or found[0] is None:
        raise SettingError(_refusal(text, "Expected one condition", columns))
    return found[0]


def _has_label(node, text, columns):
    """Return `has_label('forest')` as a comparison: one of several labels, with `|` between them, is this."""
    from sqlglot import exp

    if type(node) is not exp.Anonymous or str(node.this).lower() != "has_label":
        return node
    given = node.expressions
    if len(given) != 1 or type(given[0]) is not exp.Literal or not given[0].is_string or SEPARATOR in given[0].name:
        raise SettingError(_refusal(text, "Expected one label, such as has_label('forest')", columns))
    padded = [exp.Literal.string(SEPARATOR), exp.column("label"), exp.Literal.string(SEPARATOR)]
    wanted = exp.Literal.string(f"{SEPARATOR}{given[0].name}{SEPARATOR}")
    place = exp.StrPosition(
        this=exp.DPipe(this=exp.DPipe(this=padded[0], expression=padded[1]), expression=padded[2]), substr=wanted
    )
    return exp.Paren(this=exp.GT(this=place, expression=exp.Literal.number(0)))


def _check_node(node, text, columns):
    name = type(node).__name__
    if name not in _ALLOWED:
        raise SettingError(_refusal(text, f"{node.sql(dialect='duckdb')!r} may not stand in it", columns))
    if name == "Column":
        parts = [part.name for part in node.parts]
        known = parts[0].lower() in columns and parts[0].lower() != FEATURES
        if not known or (parts[1:] and not (parts[0] == "bbox" and len(parts) == 2 and parts[1] in _BOX)):
            raise SettingError(_refusal(text, f"There is no column {'.'.join(parts)!r}", columns))
    if name == "DataType" and (node.this.name not in _TYPES or node.expressions):
        raise SettingError(_refusal(text, f"Nothing may become {node.sql()}", columns))
    if name == "In" and (node.args.get("query") or node.args.get("unnest")):
        raise SettingError(_refusal(text, "Expected a list of constants after IN", columns))


def _conditions(expression):
    """Yield what must be true or false: the whole, what and, or and not join, and the conditions of a CASE."""
    yield expression
    for node in expression.walk():
        name = type(node).__name__
        if name in ("And", "Or"):
            yield from (node.this, node.expression)
        elif name == "Not" or (name == "Is" and type(node.expression).__name__ == "Boolean"):
            yield node.this
        elif name == "Case" and node.this is None:
            yield from (branch.this for branch in node.args["ifs"])


def _is_truth(node):
    """Return whether an expression is true or false, not a number or a text that a database would take for it."""
    name = type(node).__name__
    if name == "Paren":
        return _is_truth(node.this)
    if name == "Case":
        branches = [branch.args["true"] for branch in node.args["ifs"]]
        return all(map(_is_truth, [*branches, *filter(None, [node.args.get("default")])]))
    if name == "Coalesce":
        return all(map(_is_truth, [node.this, *node.expressions]))
    return name in _TRUTHS or (name == "Cast" and node.to.this.name == "BOOLEAN")


def _refusal(text, reason, columns):
    shown = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
    return (
        f"The condition {shown!r} cannot be used: {reason}. Expected comparisons of the archive's columns with "
        f"constants, such as label = 'forest' and time > '2020-01-01'. Columns: {', '.join(columns)}"
    )

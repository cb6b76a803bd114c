import duckdb
import pyarrow as pa
import pytest

from keras_dhnn.archive.where import box_condition, columns_in, make_condition, time_condition
from keras_dhnn.errors import SettingError

COLUMNS = ["id", "label", "time", "row", "col", "size", "bbox", "features", "path"]
ROWS = pa.table(
    {
        "id": ["a", "b", "c", "d"],
        "label": ["forest", "it's", None, "Sea"],
        "row": [0, 100, 200, 300],
        "col": [4, 3, 2, 1],
        "time": pa.array([0, 86_400_000, 2 * 86_400_000, None], pa.timestamp("ms")),
        "bbox": [{"xmin": float(x), "ymin": 0.0, "xmax": x + 1.0, "ymax": 1.0} for x in range(4)],
    }
)


def kept(condition):
    connection = duckdb.connect()
    connection.register("rows", ROWS)
    return "".join(row[0] for row in connection.execute(f"SELECT id FROM rows AS i WHERE {condition}").fetchall())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("label = 'forest'", "a"),
        ("label = 'it''s'", "b"),
        ("label is null", "c"),
        ("not (label is null) and row >= 100", "bd"),
        ("row < 250 and col<4", "bc"),
        ("label in ('forest', 'Sea')", "ad"),
        ("label like 'f%' or lower(label) = 'sea'", "ad"),
        ("row between 50 and 250", "bc"),
        ("row / 100 + 1 = col - 1", "b"),
        ("time > '1970-01-01 12:00:00'", "bc"),
        ("bbox.xmin >= 1.5", "cd"),
        ("ROW = 100", "b"),
        ('"row" = 100 -- only one', "b"),
        ("case when row = 0 then true else label = 'Sea' end", "ad"),
        ("year(time) = 1970 and day(time) = 3", "c"),
        ("time >= date '1970-01-02'", "bc"),
        ("true", "abcd"),
        ("coalesce(label = 'forest', false) or (not (row < 300) and true)", "ad"),
        ("case row when 0 then true when 100 then row > 50 else false end", "ab"),
        ("(label like 'f%') is true", "a"),
        ("(label = 'forest') is not false and has_label('forest') is not true", "c"),
        ("cast(row as boolean)", "bcd"),
    ],
)
def test_conditions_select(text, expected):
    assert kept(make_condition(text, COLUMNS)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "read_text('/etc/passwd') is not null",
        "id in (select content from read_text('/etc/passwd'))",
        "exists (select 1)",
        "label = 'x'; drop table rows",
        "1=1) or (1=1",
        "label = 'x' union select 1",
        "getenv('HOME') = ''",
        "count(*) > 1",
        "row_number() over () = 1",
        "secret = 1",
        "rows.label = 'x'",
        "bbox.other = 1",
        "features is not null",
        "cast(label as blob) = 'x'",
        "label = $1",
        "label = ?",
        "* = 1",
        "columns('label') = 'x'",
        "label -> 'x' = 1",
        "copy rows to '/tmp/x'",
        "attach '/tmp/x' as y",
        "install httpfs",
        "label = 'x' limit 1",
        "label = 'open",
        "",
        "row = any([1, 2])",
        "time > now()",
    ],
)
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match="cannot be used"):
        make_condition(text, COLUMNS)


def test_boxes_and_times():
    assert kept(box_condition((1.5, 0, 2.5, 1))) == "bc"
    assert kept(box_condition((3.5, 0, 0.5, 1))) == "ad"
    assert kept(box_condition((0, 1.5, 9, 2))) == ""
    assert kept(time_condition("1970-01-02", None)) == "bc"
    assert kept(time_condition("1970-01-01T09:00+09:00", "1970-01-02")) == "a"
    with pytest.raises(ValueError, match="2020-01-31"):
        time_condition("yesterday", None)


@pytest.mark.parametrize(
    "text", ["(" * 3000 + "row = 1" + ")" * 3000, "NOT " * 900 + "row = 1", "- " * 1001 + "1 = row"]
)
def test_conditions_nested_too_deeply_are_refused(text):
    with pytest.raises(SettingError, match=r"The condition '.{200}\.\.\.' cannot be used: ") as refused:
        make_condition(text, COLUMNS)
    assert len(str(refused.value)) < 600


@pytest.mark.parametrize(
    "value", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "10000-01-01", "2020-02-30", "", "now"]
)
def test_times_that_there_are_not_are_refused(value):
    with pytest.raises(SettingError, match="Expected a time such as 2020-01-31"):
        time_condition(value, None)


def test_early_times_have_four_digits_of_a_year():
    assert time_condition("0099-01-01", None) == "(time >= CAST('0099-01-01 00:00:00.000000' AS TIMESTAMP))"
    assert kept(time_condition("0099-01-01", "1970-01-02T01:00+01:00")) == "a"


def test_columns_of_a_condition_are_named_but_not_words_of_its_texts():
    condition = "has_label('time') and bbox.xmin > 3 and lower(scene) = 'row'"
    assert columns_in(condition, ["label", "time", "row", "scene", "bbox"]) == ["label", "scene", "bbox"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("row", "row"),
        ("(row)", "(row)"),
        ("5", "5"),
        ("'forest'", "forest"),
        ("label", "label"),
        ("row - 100", "row - 100"),
        ("not row", "row"),
        ("label = 'forest' or row", "row"),
        ("col and row > 100", "col"),
        ("(label = 'forest' and (time > '2020-01-01' or length(label)))", "LENGTH("),
        ("row > 100 = (col or true)", "col"),
        ("row is true", "row"),
        ("row is not false", "row"),
        ("case when row then true else false end", "row"),
        ("case when row > 1 then row else false end", "CASE WHEN"),
        ("coalesce(row > 1, 1)", "COALESCE("),
        ("cast(label = 'forest' as int)", "CAST("),
    ],
)
def test_what_is_neither_true_nor_false_is_no_condition(text, named):
    with pytest.raises(SettingError, match="is neither true nor false: compare it") as caught:
        make_condition(text, COLUMNS)
    assert named in str(caught.value)

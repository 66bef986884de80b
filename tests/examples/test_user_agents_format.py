"""Files without a line of names, with comments, and with quotes that are no quotes, as user_agents.txt is."""

import pytest

from segserver.cli._mapping_spec import FormatSpec
from segserver.cli._rows import open_rows
from segserver.errors import InvalidInput

TEXT = '\ufeff# where it comes from\na\t"x\n# between\n\nb\ty"\n'


def read(tmp_path, text, columns=("name", "said"), **form):
    file = tmp_path / "file.tsv"
    file.write_text(text, encoding="utf-8", newline="")
    with open_rows(file, None, FormatSpec(**form), columns) as rows:
        return [(row.line, list(row.cells or ())) for row in rows.rows]


def test_given_names_comments_and_bare_quotes(tmp_path):
    found = read(tmp_path, TEXT, header=["name", "said"], comment="#", quoted=False)
    assert found == [(2, ["a", '"x']), (5, ["b", 'y"'])]


def test_a_comment_can_stand_above_the_names(tmp_path):
    found = read(tmp_path, "# made by hand\n\nname\tsaid\na\tx\n", comment="#")
    assert found == [(4, ["a", "x"])]


def test_without_these_keys_a_file_is_read_as_ever(tmp_path):
    assert read(tmp_path, 'name\tsaid\n#1\t"x\ny"\n') == [(2, ["#1", "x\ny"])]


def test_a_column_that_the_given_names_lack_is_named(tmp_path):
    with pytest.raises(InvalidInput, match="said"):
        read(tmp_path, TEXT, header=["name", "other"], comment="#", quoted=False)

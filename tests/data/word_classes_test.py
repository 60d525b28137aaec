import re

import pytest

from elmo_plugin.data import word_classes
from elmo_plugin.data.word_classes import NAMES, TABLES, class_table


def test_the_table_of_the_documentation_is_the_one_that_is_used():
    rows = re.findall(r"^\| (\S+) +\| [^|]+\|([^|]*)\|([^|]*)\|$", word_classes.__doc__, re.MULTILINE)
    documented = {"pfr": {}, "upos": {}}
    for word_class, *columns in rows[1:]:
        for name, tags in zip(documented, columns):
            documented[name].update({tag: word_class for tag in tags.split()})
    assert documented == TABLES


def test_every_kind_of_name_has_tags():
    assert set(NAMES) <= set(TABLES["pfr"].values())


def test_more_tags_add_to_a_table_or_replace_its():
    table = class_table("pfr", {"yy": "n", "nz": "ORG"})
    assert (table["yy"], table["nz"], table["nr"]) == ("n", "ORG", "PER")
    assert TABLES["pfr"]["nz"] == "nz"


def test_without_a_table_tags_are_classes_unless_some_are_named():
    assert class_table(None) is None
    assert class_table(None, {"N": "n"}) == {"N": "n"}


def test_another_table_is_an_error():
    with pytest.raises(ValueError, match="no table of tags 'ctb'; there are pfr, upos"):
        class_table("ctb")

from elmo_plugin.counted import counted


def test_one_of_a_thing_has_no_s():
    assert [counted(number, "word") for number in (0, 1, 2, 2000)] == ["0 words", "1 word", "2 words", "2,000 words"]

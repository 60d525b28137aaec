from elmo_plugin.data.shown import as_json, shortened


def test_a_long_text_is_cut_and_what_is_left_out_is_marked():
    assert shortened(" " + "x" * 80 + "\n") == "x" * 80
    assert shortened("x" * 81) == "x" * 80 + "…"


def test_data_is_shown_as_json_with_its_letters():
    assert as_json({"text": "北京", "n": None}) == '{"text": "北京", "n": null}'
    assert as_json(["a" * 100]) == '["' + "a" * 78 + "…"

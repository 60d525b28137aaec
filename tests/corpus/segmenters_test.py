import sys
from types import SimpleNamespace

import pytest

from elmo_plugin.corpus import segmenters
from elmo_plugin.corpus.segmenters import build_segmenter, split_chinese
from elmo_plugin.corpus.settings import Settings


def segment(lines, **settings):
    return [" ".join(words) for words in build_segmenter(Settings(**settings))(lines)]


def test_english_is_split_and_tokenised_by_spacy_across_wrapped_lines():
    lines = ["Mr. Smith went to", "Washington, D.C. yesterday. He", "isn't back.", "", "A title", ""]
    assert segment(lines) == [
        "Mr. Smith went to Washington , D.C. yesterday .",
        "He is n't back .",
        "A title",
    ]


def test_every_line_can_be_a_paragraph():
    assert segment(["A title", "Text follows. More"], paragraphs="line") == ["A title", "Text follows .", "More"]


def test_a_quote_or_bracket_that_opens_belongs_to_the_next_sentence():
    assert segment(['He left. "Why?" Nobody knew. (Really.) Yes.']) == [
        "He left .",
        '" Why ? "',
        "Nobody knew .",
        "( Really . )",
        "Yes .",
    ]


def test_presplit_lines_stay_one_sentence_each():
    assert segment(["One. Two.", "", "Three."], presplit=True) == ["One . Two .", "Three ."]


def test_whitespace_keeps_the_tokens_of_presplit_lines():
    lines = ["a  b\u00a0c\u3000d\x1ce ", " ", "Mr. don't"]
    assert segment(lines, segmenter="whitespace", presplit=True) == ["a b c d e", "Mr. don't"]


def test_tokenised_documents_are_split_into_sentences_without_touching_the_tokens():
    lines = ["He left . don't", "ask ! \" Why ? \" Yes"]
    assert segment(lines, segmenter="whitespace") == ["He left .", "don't ask ! \"", 'Why ? "', "Yes"]


def test_no_token_holds_white_space_of_any_kind():
    spaces = [chr(code) for code in range(0x110000) if chr(code).isspace() and chr(code) != "\n"]
    words = [word for words in build_segmenter(Settings())(["x".join(spaces) + " end"]) for word in words]
    assert words == ["x"] * (len(spaces) - 1) + ["end"]


@pytest.mark.parametrize("run", ["'" * 10_000, "." * 10_000, "a" * 10_000, "(" * 10_000])
def test_an_endless_token_stays_whole_and_is_quick(run):
    assert segment([f"It was {run} indeed."]) == [f"It was {run} indeed ."]


def test_chinese_sentences_end_behind_marks_and_what_closes_there():
    assert split_chinese("“你好！”他说。你在吗？！（不在……）好") == ["“你好！”", "他说。", "你在吗？！", "（不在……）好"]
    assert split_chinese("真的?是的!见example.com?a=1。") == ["真的?", "是的!", "见example.com?a=1。"]
    assert split_chinese("「走。」『好。』完") == ["「走。」", "『好。』", "完"]


def test_chinese_characters_are_words_and_other_runs_stay_whole():
    assert segment(["他在Beijing住了", "10年。好"], language="zh", segmenter="characters") == [
        "他 在 Beijing 住 了 10 年 。",
        "好",
    ]


def test_segmented_chinese_is_split_at_the_marks():
    assert segment(["我 来 。 “ 好 ！ ” 他 走"], language="zh", segmenter="whitespace") == [
        "我 来 。",
        "“ 好 ！ ”",
        "他 走",
    ]


@pytest.mark.parametrize("segmenter", ["spacy", "whitespace"])
def test_another_code_of_a_language_is_refused_as_it_would_be_split_by_other_rules(segmenter):
    with pytest.raises(ValueError, match="expected a code as spaCy has it, for 'zho' that is 'zh'; give that."):
        build_segmenter(Settings(language="zho", segmenter=segmenter))


def test_a_language_that_spacy_does_not_know_is_named():
    with pytest.raises(ValueError, match="language: spaCy has no usable pipeline for 'qq'"):
        build_segmenter(Settings(language="qq"))


def test_jieba_finds_chinese_words():
    pytest.importorskip("jieba", reason="jieba is not installed")
    assert segment(["他来到北京大学。我们在", "这里。"], language="zh", segmenter="jieba") == [
        "他 来到 北京大学 。",
        "我们 在 这里 。",
    ]


def test_a_segmenter_that_is_not_installed_is_named_with_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "jieba", None)
    with pytest.raises(ValueError, match="segmenter: jieba is not installed .*pip install jieba; or use .* characters"):
        build_segmenter(Settings(language="zh", segmenter="jieba", presplit=True))


def test_pkuseg_is_given_its_folder_and_so_downloads_nothing(monkeypatch, tmp_path):
    asked = []

    def pkuseg(model, user_dict):
        asked.append(model)
        return SimpleNamespace(cut=lambda text: [text[:1], text[1:]])

    (tmp_path / "mixed").mkdir()
    monkeypatch.setattr(segmenters, "PKUSEG_FOLDER", tmp_path)
    monkeypatch.setitem(sys.modules, "spacy_pkuseg", SimpleNamespace(pkuseg=pkuseg))
    segment = build_segmenter.__wrapped__(Settings(language="zh", segmenter="pkuseg"))
    assert list(segment(["我们。", "来了"])) == [["我", "们。"], ["来", "了"]] and asked == [f"{tmp_path}/mixed"]


def test_pkuseg_without_its_model_is_an_error_and_no_download(monkeypatch, tmp_path):
    monkeypatch.setattr(segmenters, "PKUSEG_FOLDER", tmp_path)
    with pytest.raises(ValueError, match="segmenter: pkuseg's model is not in .*mixed; on a machine with a network"):
        build_segmenter(Settings(language="zh", segmenter="pkuseg"))

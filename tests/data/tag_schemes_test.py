import random

import pytest
from allennlp.data.dataset_readers.dataset_utils.span_utils import bio_tags_to_spans, bmes_tags_to_spans
from allennlp.data.dataset_readers.dataset_utils.span_utils import bioul_tags_to_spans, iob1_tags_to_spans
from allennlp.modules.conditional_random_field import allowed_transitions as allennlp_allowed_transitions

from elmo_plugin.data.tag_schemes import (
    LETTERS,
    SCHEMES,
    Span,
    allowed_transitions,
    can_follow,
    check_scheme,
    convert_tags,
    first_misfits,
    misfits,
    span_types,
    spans_to_tags,
    split_tag,
    tags_to_spans,
)

# Three words, one word, two of one type side by side, one of another type beside them.
SPANS = [Span("PER", 0, 3), Span("LOC", 4, 5), Span("LOC", 5, 7), Span("PER", 7, 8)]
WRITTEN = {
    "BIO": "B-PER I-PER I-PER O B-LOC B-LOC I-LOC B-PER O",
    "IOB1": "I-PER I-PER I-PER O I-LOC B-LOC I-LOC I-PER O",
    "BIOES": "B-PER I-PER E-PER O S-LOC B-LOC E-LOC S-PER O",
    "BIOUL": "B-PER I-PER L-PER O U-LOC B-LOC L-LOC U-PER O",
    "BMES": "B-PER M-PER E-PER O S-LOC B-LOC E-LOC S-PER O",
}


def random_spans(generator, num_tokens):
    spans, start = [], 0
    while start < num_tokens:
        end = min(num_tokens, start + generator.randint(1, 3))
        if generator.random() < 0.6:
            spans.append(Span(generator.choice(["A", "B-C", ""]), start, end))
        start = end
    return spans


@pytest.mark.parametrize("scheme", SCHEMES)
def test_each_scheme_writes_and_reads_the_same_spans(scheme):
    tags = WRITTEN[scheme].split()
    assert spans_to_tags(SPANS, 9, scheme) == tags
    assert tags_to_spans(tags, scheme) == SPANS
    assert list(misfits(tags, scheme)) == []


@pytest.mark.parametrize("source", SCHEMES)
@pytest.mark.parametrize("target", SCHEMES)
def test_every_scheme_converts_to_every_other_without_loss(source, target):
    assert convert_tags(WRITTEN[source].split(), source, target) == WRITTEN[target].split()
    generator = random.Random(1)
    for _ in range(100):
        num_tokens = generator.randint(1, 9)
        spans = random_spans(generator, num_tokens)
        tags = spans_to_tags(spans, num_tokens, source)
        assert tags_to_spans(convert_tags(tags, source, target), target) == spans
        assert list(misfits(tags, source)) == []


@pytest.mark.parametrize(
    "scheme, tags, spans",
    [
        ("BIO", "I-PER I-PER O", [("PER", 0, 2)]),
        ("BIO", "B-PER I-LOC I-LOC", [("PER", 0, 1), ("LOC", 1, 3)]),
        ("BIO", "O I-PER B-PER", [("PER", 1, 2), ("PER", 2, 3)]),
        ("IOB1", "B-PER I-PER B-PER", [("PER", 0, 2), ("PER", 2, 3)]),
        ("BIOES", "B-PER O E-PER", [("PER", 0, 1), ("PER", 2, 3)]),
        ("BIOES", "B-PER I-PER", [("PER", 0, 2)]),
        ("BIOES", "S-PER I-PER E-PER", [("PER", 0, 1), ("PER", 1, 3)]),
        ("BIOES", "B-PER B-PER E-PER", [("PER", 0, 1), ("PER", 1, 3)]),
        ("BIOES", "B-PER E-LOC", [("PER", 0, 1), ("LOC", 1, 2)]),
        ("BIOES", "I-PER S-PER", [("PER", 0, 1), ("PER", 1, 2)]),
    ],
)
def test_ill_formed_tags_stand_for_spans_all_the_same(scheme, tags, spans):
    assert tags_to_spans(tags.split(), scheme) == [Span(*span) for span in spans]
    assert list(misfits(tags.split(), scheme)) != []


@pytest.mark.parametrize("scheme, theirs", [("BIO", bio_tags_to_spans), ("IOB1", iob1_tags_to_spans)])
def test_any_tags_at_all_are_read_as_by_allennlp(scheme, theirs):
    generator = random.Random(2)
    choices = ["O", "B-A", "I-A", "B-C", "I-C"]
    for _ in range(500):
        tags = [generator.choice(choices) for _ in range(generator.randint(1, 8))]
        expected = {(span_type, start, end + 1) for span_type, (start, end) in theirs(tags)}
        assert set(tags_to_spans(tags, scheme)) == expected


def test_well_formed_bioul_and_bmes_are_read_as_by_allennlp():
    generator = random.Random(3)
    for _ in range(200):
        spans = [Span(span.type or "A", span.start, span.end) for span in random_spans(generator, 8)]
        tags = spans_to_tags(spans, 8, "BIOUL")
        assert sorted(bioul_tags_to_spans(tags)) == sorted((t, (start, end - 1)) for t, start, end in spans)
    filled = [Span("A", 0, 1), Span("A", 1, 4), Span("B", 4, 6)]
    tags = spans_to_tags(filled, 6, "BMES")
    assert sorted(bmes_tags_to_spans(tags)) == sorted((t, (start, end - 1)) for t, start, end in filled)


@pytest.mark.parametrize("scheme", ["BIO", "IOB1", "BIOUL", "BMES"])
def test_transitions_are_those_of_allennlp(scheme):
    outside = [] if scheme == "BMES" else ["O"]  # AllenNLP's BMES knows no O
    tags = dict(enumerate(outside + [f"{letter}-{t}" for letter in LETTERS[scheme] for t in ("A", "B")]))
    assert set(allowed_transitions(tags, scheme)) == set(allennlp_allowed_transitions(scheme, tags))


def test_bioes_allows_what_bioul_allows():
    pairs = [("O", "O"), ("B-A", "B-A"), ("I-A", "I-A"), ("L-A", "E-A"), ("U-A", "S-A")]
    bioul = dict(enumerate(old for old, _ in pairs))
    bioes = dict(enumerate(new for _, new in pairs))
    assert allowed_transitions(bioes, "BIOES") == allowed_transitions(bioul, "BIOUL")


def test_a_sentence_may_not_end_inside_a_span_of_bioes():
    assert not can_follow("B-A", None, "BIOES")
    assert can_follow("E-A", None, "BIOES")
    assert can_follow("B-A", None, "BIO")


def test_tags_without_types_are_spans_of_the_empty_type():
    assert tags_to_spans("B M E S".split(), "BMES") == [Span("", 0, 3), Span("", 3, 4)]
    assert spans_to_tags([Span("", 0, 2)], 3, "BIO") == ["B", "I", "O"]


def test_a_type_may_hold_hyphens():
    assert split_tag("B-creative-work", "BIO") == ("B", "creative-work")
    assert tags_to_spans(["B-creative-work", "I-creative-work"], "BIO") == [Span("creative-work", 0, 2)]


@pytest.mark.parametrize("tag", ["PER", "E-PER", "b-PER", "B-", "B_PER", "o", "", "-PER", "PER-B"])
def test_what_is_no_tag_of_the_scheme_is_an_error_that_says_the_forms(tag):
    with pytest.raises(ValueError, match="is no BIO tag, which is O or one of B-TYPE, I-TYPE"):
        split_tag(tag, "BIO")


def test_misfits_say_where_and_why():
    found = list(misfits("O I-PER B-LOC I-PER X-PER I-PER".split(), "BIO"))
    assert [misfit.index for misfit in found] == [1, 3, 4, 5]
    assert [misfit.repairable for misfit in found] == [True, True, False, True]
    assert found[0].reason == "'I-PER' follows 'O', which BIO does not allow"
    (begins,) = misfits(["I-PER"], "BIO")
    assert begins.reason == "'I-PER' begins a sentence, which BIO does not allow"
    (ends,) = misfits(["O", "B-PER"], "BIOES")
    assert ends.index == 1
    assert ends.reason == "'B-PER' ends a sentence, which BIOES does not allow"
    assert list(misfits([], "BIOES")) == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_scheme_of_tags_is_found(scheme):
    found = first_misfits([["O", "O"], WRITTEN[scheme].split()])
    assert [name for name, misfit in found.items() if misfit is None] == [scheme]


def test_tags_without_spans_fit_every_scheme():
    assert set(first_misfits([["O"], ["O", "O"]]).values()) == {None}


def test_the_first_misfit_of_each_scheme_is_told():
    found = first_misfits([["B-PER", "I-PER"], ["O", "I-PER"]])
    assert found["BIO"] == (1, next(misfits(["O", "I-PER"], "BIO")))
    assert found["IOB1"] == (0, next(misfits(["B-PER"], "IOB1")))


def test_types_are_sorted_and_stand_once():
    assert span_types(["O", "I-LOC", "B-LOC", "B-ART"], "BIO") == ["ART", "LOC"]


def test_an_unknown_scheme_is_an_error_that_lists_the_known_ones():
    assert check_scheme("IOB1") == "IOB1"
    with pytest.raises(ValueError, match="no tag scheme 'IOBES'; the schemes are BIO, IOB1, BIOES, BIOUL, BMES"):
        check_scheme("IOBES")

from benchmarks.wikigold_parts import cut


def test_every_sentence_is_in_one_part_and_blocks_stay_together():
    sentences = [f"word{number} O\nends O" for number in range(57)]
    parts = cut("\n\n".join(sentences) + "\n\n")
    assert parts["train"] == sentences[:30] + sentences[50:]
    assert parts["dev"] == sentences[30:40]
    assert parts["test"] == sentences[40:50]

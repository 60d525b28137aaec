from benchmarks.wikigold_parts import cut


def test_every_article_is_in_one_part_in_the_order_of_the_file():
    articles = [f"word{number} O\n. O\n\nnext I-LOC\n. O" for number in range(7)]
    parts = cut("\n\n-DOCSTART- O\n\n".join(articles) + "\n\n-DOCSTART- O\n\n")
    assert parts == {"train": articles[:3] + articles[5:], "dev": articles[3:4], "test": articles[4:5]}

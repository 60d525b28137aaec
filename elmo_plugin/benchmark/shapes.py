"""The released sizes of ELMo, and how many operations they take."""

from elmo_plugin.bilm.options import BilmOptions

_FILTERS = [[1, 32], [2, 32], [3, 64], [4, 128], [5, 256], [6, 512], [7, 1024]]
# Name: memory, projection, highways.
_SIZES = {"small": (1024, 128, 1), "medium": (2048, 256, 1), "original": (4096, 512, 2)}
SIZES = tuple(_SIZES)


def options_of_size(size: str, num_words: int) -> BilmOptions:
    """
    # Raises

    `ValueError` for a size that was never released.
    """
    if size not in _SIZES:
        raise ValueError(f"`size` must be one of {', '.join(SIZES)}, but it is {size!r}.")
    cell_dim, projection_dim, num_highway = _SIZES[size]
    return BilmOptions.from_dict(
        {
            "char_cnn": {
                "activation": "relu",
                "embedding": {"dim": 16},
                "filters": _FILTERS,
                "max_characters_per_token": 50,
                "n_highway": num_highway,
            },
            "lstm": {
                "cell_clip": 3,
                "dim": cell_dim,
                "n_layers": 2,
                "proj_clip": 3,
                "projection_dim": projection_dim,
                "use_skip_connections": True,
            },
            "n_tokens_vocab": num_words,
        }
    )


def lstm_operations(options: BilmOptions) -> int:
    """
    Operations that a token takes in the LSTMs' products, both directions, forward pass: in each layer
    `2 * (4 * cell_dim * 2 * projection_dim + cell_dim * projection_dim)`. The backward pass takes twice as many.
    """
    lstm = options.lstm
    of_layer = 2 * (4 * lstm.cell_dim * 2 * lstm.projection_dim + lstm.cell_dim * lstm.projection_dim)
    return 2 * lstm.num_layers * of_layer


def encoder_operations(options: BilmOptions) -> int:
    """
    Operations that a distinct word takes in the encoder's products, forward pass: highways and the projection behind
    them. Those of the convolutions, which depend on its length, are left out.
    """
    char_cnn = options.char_cnn
    num_features = sum(number for _, number in char_cnn.filters)
    highways = char_cnn.num_highway * num_features * 2 * num_features
    return 2 * (highways + num_features * options.lstm.projection_dim)

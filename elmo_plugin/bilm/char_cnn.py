"""
The context-free half of the model: a word to its vector, from its characters or from its id.

Both encoders map the distinct words of a batch, each once. Which position of which sentence holds which word is
not their business.
"""

import math

import torch
from torch import Tensor, nn

from elmo_plugin.bilm.characters import MASK_ID
from elmo_plugin.bilm.encoder_options import CharCnnOptions
from elmo_plugin.bilm.on_device import on_device
from elmo_plugin.bilm.ops.dispatch import char_convolutions


class Highway(nn.Module):
    """
    One highway layer (Srivastava et al. 2015) as bilm-tf has it:

        carry = sigmoid(x W_carry + b_carry),  y = carry * relu(x W_transform + b_transform) + (1 - carry) * x

    The name is bilm-tf's: its `carry` gate lets the *transformed* part through. Biases of the gate begin at -2, so
    that a new layer passes its input on.

    # Parameters

    num_features : width of input and output.
    """

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.transform = nn.Linear(num_features, num_features)
        self.carry = nn.Linear(num_features, num_features)
        for linear, bias in ((self.transform, 0.0), (self.carry, -2.0)):
            nn.init.normal_(linear.weight, std=math.sqrt(1.0 / num_features))
            nn.init.constant_(linear.bias, bias)

    def forward(self, features: Tensor) -> Tensor:
        """Shape: (num_types, num_features) to the same."""
        carry = torch.sigmoid(self.carry(features))
        return features + carry * (torch.relu(self.transform(features)) - features)


class CharCnnEncoder(nn.Module):
    """
    Characters of a word to its vector (Kim et al. 2016, Peters et al. 2018):

        embed → for each width: convolve, maximum over positions, activation → concatenate → highways → project

    Padding characters have an embedding like any other, and the convolutions see them, as in bilm-tf. There is no
    projection where the filters already add up to `projection_dim`.

    # Parameters

    options : widths and counts.
    projection_dim : width of the vectors.
    """

    def __init__(self, options: CharCnnOptions, projection_dim: int) -> None:
        super().__init__()
        self.options = options
        self.embedding = nn.Embedding(options.num_ids, options.embedding_dim, padding_idx=MASK_ID)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(options.embedding_dim, count, kernel_size=width) for width, count in options.filters
        )
        self.highways = nn.ModuleList(Highway(options.num_filters) for _ in range(options.num_highway))
        self.projection = None
        if options.has_projection(projection_dim):
            self.projection = nn.Linear(options.num_filters + options.word_dim, projection_dim)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialises as bilm-tf does; `Highway` initialises itself."""
        with torch.no_grad():
            self.embedding.weight[1:].uniform_(-1.0, 1.0)
        for convolution in self.convolutions:
            fan_in = convolution.in_channels * convolution.kernel_size[0]
            if self.options.activation == "relu":
                nn.init.uniform_(convolution.weight, -0.05, 0.05)
            else:
                nn.init.normal_(convolution.weight, std=math.sqrt(1.0 / fan_in))
            nn.init.zeros_(convolution.bias)
        if self.projection is not None:
            nn.init.normal_(self.projection.weight, std=math.sqrt(1.0 / self.projection.in_features))
            nn.init.zeros_(self.projection.bias)

    def forward(self, characters: Tensor) -> Tensor:
        """
        # Parameters

        characters : shifted character ids of distinct words, as `characters.py` makes them.
            Shape: (num_types, max_characters), `int64`

        # Returns

        Shape: (num_types, projection_dim)
        """
        if characters.size(0) == 0:
            return self.embedding.weight.new_zeros(0, self._output_dim())
        features = self.features(characters)
        return features if self.projection is None else self.projection(features)

    def features(self, characters: Tensor) -> Tensor:
        """
        What the filters find, before the projection.

        Shape: (num_types, max_characters) to (num_types, `options.num_filters`)
        """
        weights, biases = zip(*((convolution.weight, convolution.bias) for convolution in self.convolutions))
        characters = self._without_idle_positions(characters)
        features = char_convolutions(characters, self.embedding.weight, weights, biases)
        features = torch.relu(features) if self.options.activation == "relu" else torch.tanh(features)
        for highway in self.highways:
            features = highway(features)
        return features

    def _output_dim(self) -> int:
        return self.options.num_filters if self.projection is None else self.projection.out_features

    def _without_idle_positions(self, characters: Tensor) -> Tensor:
        """
        The positions up to one window of nothing but padding behind the longest word.

        All windows of padding are alike, so the maximum over all positions is the maximum over these: exact, and
        with `max_characters` 50 about three times less to convolve.
        """
        is_idle = (characters == characters[:, -1:]).all(dim=0)
        ends = torch.arange(1, len(is_idle) + 1, device=is_idle.device)
        # Waits for a GPU. Without characters there is no word, which `forward` deals with.
        longest = int(ends.masked_fill_(is_idle, 0).max())
        widest = max(width for width, _ in self.options.filters)
        return characters[:, : min(characters.size(1), longest + widest)]


class SymbolCnnEncoder(CharCnnEncoder):
    """
    Characters of a word, and the word itself, to its vector (Che et al. 2018, ELMoForManyLangs):

        project([embed(word); features of the characters])

    It takes words as bytes as every encoder does, and looks their characters and the word up in tables (`symbols.py`).

    # Parameters

    options : with `symbols`.
    projection_dim : width of the vectors.
    """

    def __init__(self, options: CharCnnOptions, projection_dim: int) -> None:
        super().__init__(options, projection_dim)
        assert options.symbols is not None
        self.symbols = options.symbols
        self.word_embedding = None
        if options.word_dim > 0:
            self.word_embedding = nn.Embedding(len(options.symbols.words), options.word_dim)

    def forward(self, characters: Tensor) -> Tensor:
        """Shape: (num_types, max_characters) to (num_types, projection_dim)"""
        if characters.size(0) == 0:
            return self.embedding.weight.new_zeros(0, self._output_dim())
        encoded = self.symbols.encode(characters.cpu().numpy())
        symbol_ids, word_ids = (on_device(torch.from_numpy(ids), characters.device) for ids in encoded)
        features = self.features(symbol_ids)
        if self.word_embedding is not None:
            features = torch.cat([self.word_embedding(word_ids), features], dim=1)
        return self.projection(features)


class WordEncoder(nn.Module):
    """
    Ids of words to their vectors, for models without characters: `E[id]`.

    # Parameters

    num_words : size of the vocabulary.
    projection_dim : width of the vectors.
    """

    def __init__(self, num_words: int, projection_dim: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_words + 1, projection_dim, padding_idx=0)
        with torch.no_grad():
            self.embedding.weight[1:].uniform_(-1.0, 1.0)

    def forward(self, word_ids: Tensor) -> Tensor:
        """
        # Parameters

        word_ids : shifted ids, id in the vocabulary + 1; 0 is masked. Shape: (num_types,), `int64`

        # Returns

        Shape: (num_types, projection_dim)
        """
        return self.embedding(word_ids)

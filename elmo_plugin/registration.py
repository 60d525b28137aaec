"""
Imports every module that registers a component: AllenNLP imports a plugin's package and nothing below it.
"""

import elmo_plugin.commands.elmo  # noqa: F401
import elmo_plugin.commands.elmo_benchmark  # noqa: F401
import elmo_plugin.commands.elmo_export  # noqa: F401
import elmo_plugin.commands.elmo_import  # noqa: F401
import elmo_plugin.commands.elmo_merge  # noqa: F401
import elmo_plugin.commands.elmo_prepare  # noqa: F401
import elmo_plugin.commands.elmo_results  # noqa: F401
import elmo_plugin.commands.elmo_text  # noqa: F401
import elmo_plugin.data.data_loaders.stream  # noqa: F401
import elmo_plugin.data.dataset_readers.lac  # noqa: F401
import elmo_plugin.data.dataset_readers.reading_comprehension  # noqa: F401
import elmo_plugin.data.dataset_readers.sentences  # noqa: F401
import elmo_plugin.data.dataset_readers.tagging  # noqa: F401
import elmo_plugin.data.token_indexers.character_ids  # noqa: F401
import elmo_plugin.data.tokenizers.blank_spacy  # noqa: F401
import elmo_plugin.data.tokenizers.chinese_characters  # noqa: F401
import elmo_plugin.data.vocabulary  # noqa: F401
import elmo_plugin.models.bidaf_self_attention  # noqa: F401
import elmo_plugin.models.language_model  # noqa: F401
import elmo_plugin.models.tagger  # noqa: F401
import elmo_plugin.modules.elmo  # noqa: F401
import elmo_plugin.modules.elmo_precomputed  # noqa: F401
import elmo_plugin.modules.padded_lstm  # noqa: F401
import elmo_plugin.predictors.lac  # noqa: F401
import elmo_plugin.predictors.reading_comprehension  # noqa: F401
import elmo_plugin.predictors.tagger  # noqa: F401
import elmo_plugin.training.callbacks.kept_memory  # noqa: F401
import elmo_plugin.training.callbacks.resume  # noqa: F401
import elmo_plugin.training.callbacks.sparse_softmax  # noqa: F401
import elmo_plugin.training.checkpointer  # noqa: F401
import elmo_plugin.training.learning_rate_schedulers.cosine  # noqa: F401
import elmo_plugin.training.optimizers.adagrad  # noqa: F401

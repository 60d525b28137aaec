// A tagger: words and their characters, with ELMo or without, a bidirectional LSTM, a conditional random field.
//
// A leaf config adds the required fields and changes knobs (see ner_with_elmo.jsonnet). What a knob sets can also be
// overridden on the command line, by its place in the derived part: each path and each column stands there once.
(import 'task.libsonnet') + {
  local config = self,

  // ---- Required ----

  train_data:: error 'train_data: name the tagged file, or the pattern of files, to train on',
  dev_data:: error 'dev_data: name the tagged file by which the best epoch is chosen',
  test_data:: error 'test_data: name the tagged file to evaluate on at the end, or null for none',
  elmo:: error 'elmo: give {options_file: …, weight_file: …}, or null to train without ELMo',

  // ---- Knobs ----

  // Columns of words and of tags; negative ones count from the end.
  word_column:: 0,
  tag_column:: -1,
  // What stands between columns, such as '\t'; null for any spaces and tabs.
  separator:: null,
  // Lines that begin with this are skipped; null for none.
  comment_prefix:: null,
  // Lines that begin with this begin a document, beside -DOCSTART-; null for none.
  document_prefix:: null,
  // The scheme of the tags in the files; null to find it out.
  source_scheme:: null,
  // The scheme that the tagger learns. BIOES tells more and needs more data.
  tag_scheme:: 'BIO',
  // By whose rules spaCy cuts raw text at prediction.
  language:: 'en',

  // Words that occur less often in training are unknown ones; their vector is learned from those.
  min_count:: 2,
  word_dim:: 50,
  // A text file of vectors, `word number number …`, of width word_dim (.gz, .xz, and word2vec's first line are fine);
  // null to start from random ones. Each word of it is known then, whether training has it or not. They are lower-case.
  word_vectors:: null,
  // Whether the vectors learn too; without that, a large file costs much less time.
  train_word_vectors:: true,
  character_dim:: 16,
  // Bytes of a word that the character CNN sees, its two marks included.
  max_characters:: 24,
  // Filters of the CNN, of each width.
  character_filters:: 32,
  character_widths:: [3],

  elmo_dropout:: 0.5,
  // The biLM learns with the task, at this rate; null keeps it frozen. 0.0001 is a good first try.
  elmo_learning_rate:: null,
  // Strength of the L2 regularizer on the weights of ELMo's layers, before their softmax; null for none.
  mix_l2:: null,
  // padded_lstm, or lstm, the same function, which a CPU trains more slowly; its width in each direction.
  encoder:: 'padded_lstm',
  hidden_size:: 100,
  num_layers:: 1,
  dropout:: 0.3,

  batch_size:: 8,
  num_epochs:: 30,
  // Epochs without a better F1 on dev_data after which training stops.
  patience:: 10,
  learning_rate:: 0.003,
  grad_norm:: 5.0,
  seed:: 13,

  // ---- Derived ----

  dataset_reader: {
    type: 'elmo_tagging',
    word_column: config.word_column,
    tag_column: config.tag_column,
    separator: config.separator,
    comment_prefix: config.comment_prefix,
    document_prefix: config.document_prefix,
    source_scheme: config.source_scheme,
    tag_scheme: config.tag_scheme,
    tokenizer: { type: 'elmo_spacy', language: config.language },
    token_indexers: {
      words: { type: 'single_id', namespace: 'words', lowercase_tokens: true },
      // Bytes between marks of a word's begin and end. Its width is fixed, so that one endless word costs nothing.
      characters: { type: 'elmo_character_ids', max_characters: config.max_characters },
      [if config.elmo != null then 'elmo']: { type: 'elmo_character_ids' },
    },
  },
  vocabulary: {
    min_count: { words: config.min_count },
    [if config.word_vectors != null then 'pretrained_files']: { words: config.word_vectors },
    [if config.word_vectors != null then 'min_pretrained_embeddings']: { words: -1 },
  },

  model+: {
    type: 'elmo_tagger',
    tag_scheme: config.tag_scheme,
    text_field_embedder+: {
      token_embedders+: {
        words: {
          type: 'embedding',
          vocab_namespace: 'words',
          embedding_dim: config.word_dim,
          trainable: config.train_word_vectors,
          [if config.word_vectors != null then 'pretrained_file']: config.word_vectors,
        },
        characters: {
          type: 'character_encoding',
          // 256 bytes, 5 marks and the mask.
          embedding: { num_embeddings: 262, embedding_dim: config.character_dim },
          encoder: {
            type: 'cnn',
            embedding_dim: config.character_dim,
            num_filters: config.character_filters,
            ngram_filter_sizes: config.character_widths,
          },
        },
      },
    },
    encoder: {
      type: config.encoder,
      hidden_size: config.hidden_size,
      num_layers: config.num_layers,
      bidirectional: true,
    },
  },

  data_loader: {
    batch_sampler: { type: 'bucket', batch_size: config.batch_size, sorting_keys: ['tokens'] },
  },
  validation_data_loader: { batch_size: config.batch_size },
}

// Reading comprehension: bidirectional attention flow with self-attention over words and their characters, with ELMo
// or without.
//
// A leaf config adds the required fields and changes knobs (see squad_with_elmo.jsonnet). What a knob sets can also be
// overridden on the command line, by its place in the derived part.
(import 'task.libsonnet') + {
  local config = self,

  // ---- Required ----

  train_data:: error 'train_data: name the JSON file, or the pattern of files, with the questions to train on',
  dev_data:: error 'dev_data: name the JSON file by which the best epoch is chosen',
  test_data:: error 'test_data: name the JSON file to evaluate on at the end, or null for none',
  elmo:: error 'elmo: give {options_file: …, weight_file: …}, or null to train without ELMo',

  // ---- Knobs ----

  // Train on the first so many questions; null for all.
  max_questions:: null,
  // How answers are compared: 'en' (SQuAD's way) or 'zh' (that of CMRC 2018, and Rouge-L).
  language:: 'en',
  tokenizer:: { type: 'elmo_spacy', language: config.language },
  // Tokens in a window of a passage, and from the beginning of one to the next.
  window:: 400,
  stride:: 200,
  // Windows of a passage that a question is trained with: those with the answer, and their neighbours.
  training_windows:: 2,
  // Tokens of the longest answer that is given.
  max_answer_length:: 30,

  // Words that occur less often in training are unknown ones; their vector is learned from those.
  min_count:: 2,
  word_dim:: 50,
  // A text file of vectors, `word number number …`, of width word_dim (.gz, .xz, and word2vec's first line are fine);
  // null to start from random ones. Each word of it is known then, whether training has it or not.
  word_vectors:: null,
  // Whether words are looked up in lower case, as most files of vectors have them.
  lowercase:: true,
  // Whether the vectors learn. Those that come from a file had better not, where the training text is small.
  train_word_vectors:: config.word_vectors == null,
  character_dim:: 16,
  // Bytes of a word that the character CNN sees, its two marks included.
  max_characters:: 24,
  // Filters of the CNN, of each width.
  character_filters:: 32,
  character_widths:: [3],

  elmo_dropout:: 0.5,
  // The biLM learns with the task, at this rate; null keeps it frozen. 0.0001 is a good first try.
  elmo_learning_rate:: null,
  // Add ELMo to the output of the contextual layer too, by a mix of its own.
  elmo_at_output:: false,
  // Strength of the L2 regularizer on the weights of ELMo's layers, before their softmax; null for none.
  mix_l2:: null,
  // padded_lstm, which a CPU trains twice as fast as the others, gru or lstm; its width in each direction, in all layers.
  encoder:: 'padded_lstm',
  hidden_size:: 40,
  dropout:: 0.2,

  batch_size:: 8,
  num_epochs:: 10,
  // Epochs without a better F1 on dev_data after which training stops.
  patience:: 5,
  learning_rate:: 0.002,
  grad_norm:: 5.0,
  seed:: 13,

  // ---- Derived ----

  local encoder = { type: config.encoder, hidden_size: config.hidden_size, bidirectional: true },
  local reader = {
    type: 'elmo_reading_comprehension',
    window: config.window,
    stride: config.stride,
    tokenizer: config.tokenizer,
    token_indexers: {
      words: { type: 'single_id', namespace: 'words', lowercase_tokens: config.lowercase },
      // Bytes between marks of a word's begin and end. Its width is fixed, so that one endless word costs nothing.
      characters: { type: 'elmo_character_ids', max_characters: config.max_characters },
      [if config.elmo != null then 'elmo']: { type: 'elmo_character_ids' },
    },
  },

  dataset_reader: reader {
    training: true,
    max_windows: config.training_windows,
    max_instances: config.max_questions,
  },
  validation_dataset_reader: reader,
  vocabulary: {
    min_count: { words: config.min_count },
    [if config.word_vectors != null then 'pretrained_files']: { words: config.word_vectors },
    [if config.word_vectors != null then 'min_pretrained_embeddings']: { words: -1 },
  },

  model+: {
    type: 'bidaf_self_attention',
    language: config.language,
    max_answer_length: config.max_answer_length,
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
        [if config.elmo != null then 'elmo']+: {
          num_output_representations: if config.elmo_at_output then 2 else 1,
        } + config.elmo,
      },
    },
    contextual_encoder: encoder,
    self_attention_encoder: encoder,
    start_encoder: encoder,
    end_encoder: encoder,
    attention_dim: 2 * config.hidden_size,
  },

  data_loader: {
    batch_sampler: { type: 'bucket', batch_size: config.batch_size, sorting_keys: ['passage'] },
  },
  validation_data_loader: {
    batch_sampler: { type: 'bucket', batch_size: config.batch_size, sorting_keys: ['passage'], shuffle: false },
  },
}

"""
The bidirectional language model in pure PyTorch: torch, numpy and h5py are all it needs.

Reading order is the order of the data:

    text       vocabulary, characters → type_table, encoded_text → sentence_orders → streams
    model      options → word_types, char_cnn (symbols) → projected_lstm (ragged, state, ops/) → bilm
    training   sampler → softmax → language_model; softmax_from_words for another vocabulary
    reading    batches, word_vectors, state_policy, steady_state, packing → embedding → scalar_mix, scoring; carried
    vectors    dump, by lines (dump_parts, dump_compute, dump_writers); store, by sentences (stored_layers); token_dump
    models     weights, sidecar; fingerprint; those of other systems in importing/
"""

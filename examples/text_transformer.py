"""A transformer encoder that tells whether a sentence of a film review is for or against the film.

Data: 10,605 sentences with the mean rating of twenty readers (Hutto and Gilbert, 2014), in the
source distribution of vaderSentiment (`slipstream datasets` prints the command that fetches it);
7,605 to train, 1,000 to validate, 2,000 to test. Result: 77.0 % of the test sentences right
(seed 0).
"""

import argparse

import numpy as np

from slipstream import datasets, layers
from slipstream.callbacks import EarlyStopping
from slipstream.models import Model
from slipstream.utils import set_random_seed

WORDS = 8000  # size of the vocabulary
LENGTH = 40  # words of a sentence; longer ones are cut


def load_data():
    """Sentences and whether they are positive, as training, validation and test parts."""
    data = datasets.load("movie_sentiment")
    order = np.random.default_rng(0).permutation(len(data.x))
    x, y = data.x[order], (data.y[order] > 0).astype("int32")
    return [(x[part], y[part]) for part in (slice(7605), slice(7605, 8605), slice(8605, None))]


def build_model():
    words = layers.Input((LENGTH,), dtype="int32")
    x = layers.TokenAndPositionEmbedding(WORDS, LENGTH, 64, mask_zero=True)(words)
    x = layers.Dropout(0.5)(x)
    x = layers.TransformerEncoder(intermediate_dim=128, num_heads=4, dropout=0.3)(x)
    x = layers.GlobalAveragePooling1D()(x)
    x = layers.Dropout(0.5)(x)
    positive = layers.Dense(1, activation="sigmoid")(x)
    model = Model(words, positive)
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    return model


def main(epochs):
    set_random_seed(0)
    (x_train, y_train), (x_val, y_val), (x_test, y_test) = load_data()
    vectorize = layers.TextVectorization(max_tokens=WORDS, output_sequence_length=LENGTH)
    vectorize.adapt(x_train)
    model = build_model()
    model.summary()
    model.fit(
        vectorize(x_train),
        y_train,
        batch_size=64,
        epochs=epochs,
        validation_data=(vectorize(x_val), y_val),
        callbacks=[EarlyStopping("val_loss", patience=3, restore_best_weights=True)],
        verbose=2,
    )
    for text in ["A moving story, told with wit.", "Dull, far too long, and badly acted."]:
        positive = model.predict(vectorize([text]), verbose=0)[0, 0]
        print(f"{positive:.2f} {text}")
    loss, accuracy = model.evaluate(vectorize(x_test), y_test, verbose=0)
    print(f"test loss: {loss:.4f}, test accuracy: {accuracy:.4f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=20, help="at most so many")
    main(parser.parse_args().epochs)

"""Lookup, hashing and text layers give what Keras gives (recorded in preprocessing_expected)."""

import json

import numpy as np
import pytest
from preprocessing_cases import CASES, EXPECTED

from slipstream import layers

RECORDED = json.loads(EXPECTED.read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.layer}-{CASES.index(case)}")
def test_outputs_vocabulary_and_configuration_are_those_of_keras(case):
    for mine, theirs in zip(case.run(layers), RECORDED[case.key], strict=True):
        if "config" in theirs:
            mine, theirs = dict(mine["config"]), dict(theirs["config"])
            if case.layer == "IntegerLookup" and case.adapt is not None:
                # Ours says what was learnt: a compiled program holds it.
                assert mine.pop("vocabulary") and not theirs.pop("vocabulary")
                mine.pop("idf_weights"), theirs.pop("idf_weights")
            if case.layer == "Discretization" and case.adapt is not None:
                mine.pop("bin_boundaries"), theirs.pop("bin_boundaries")  # compared above
            assert mine == theirs
        elif "kind" in theirs and theirs["kind"] != "text":
            assert (mine["kind"], mine["shape"]) == (theirs["kind"], theirs["shape"])
            np.testing.assert_allclose(mine["values"], theirs["values"], rtol=1e-6, atol=1e-7)
        elif "boundaries" in theirs:
            np.testing.assert_allclose(mine["boundaries"], theirs["boundaries"], rtol=5e-5)
        else:
            assert mine == theirs

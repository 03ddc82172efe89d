"""Files of our own, and copies: nothing is lost, and nothing that is broken gets in."""

import pytest
from hypothesis import given

from tests.lossless import COPIES, everyone, everything, future

copied = pytest.mark.parametrize("how", COPIES.values(), ids=COPIES)


@copied
@given(net=everyone())
def test_a_copy_is_everything_that_the_network_is(how, net):
    twin = how(net)
    assert type(twin) is type(net)
    assert everything(twin) == everything(net)
    assert twin._online.visits == net._online.visits  # by which "auto" chooses an engine


@copied
@given(net=everyone())
def test_a_copy_goes_on_as_the_network_does(how, net):
    twin = how(net)
    before = everything(net)
    ahead = future(twin)
    assert everything(net) == before  # they share nothing
    assert ahead == future(net)

from __future__ import annotations

from dev.azure.quotas import Buckets, WindowQuota


def test_a_window_refuses_until_it_is_over():
    now = 0.0
    quota = WindowQuota(2, 5.0, lambda: now)
    assert [quota.take("a").granted for _ in range(3)] == [True, True, False]
    assert quota.take("b").granted
    now = 3.0
    refused = quota.take("a")
    assert (refused.granted, refused.wait) == (False, 2.0)
    now = 5.0
    assert quota.take("a").remaining == 1


def test_a_bucket_refills_at_its_rate_up_to_its_size():
    now = 0.0
    buckets = Buckets(lambda: now)
    taken = [buckets.take("writes", "a") for _ in range(201)]
    assert [one.granted for one in taken[198:]] == [True, True, False]
    assert taken[-1].wait == 1
    now = 1.0
    assert [buckets.take("writes", "a").granted for _ in range(11)] == [True] * 10 + [False]
    now = 1000.0
    assert buckets.take("writes", "a").remaining == 199

"""python3 -m unittest discover -s bench -t bench"""

import unittest

from harness.report import Results, judged

SCENARIO = {"name": "s", "mode": "echo", "what": "", "shape": "echo", "bar": {"ratio": 1.0}}
SERVERS = [{"name": "raw", "raw": True}, {"name": "ours", "ours": True}, {"name": "a"}, {"name": "b"}]


class ReportTest(unittest.TestCase):
    def results(self, **rounds: list[float | None]) -> Results:
        results = Results([SCENARIO], SERVERS)
        for server, values in rounds.items():
            for value in values:
                results.add("s", server, value and {"cpu_s_per_million": value})
        return results

    def test_a_ratio_is_taken_within_its_round(self):
        results = self.results(raw=[1.0, 2.0, 4.0], ours=[2.0, 2.0, 2.0])
        self.assertEqual(results.all_of("s", "ours", "ratio"), [2.0, 1.0, 0.5])
        self.assertEqual(results.of("s", "ours", "ratio"), 1.0)

    def test_a_failed_run_drops_out_of_its_round_only(self):
        results = self.results(raw=[1.0, None, 4.0], ours=[2.0, 2.0, None])
        self.assertEqual(results.all_of("s", "ours", "ratio"), [2.0])

    def test_the_best_peer_is_neither_the_floor_nor_ours(self):
        results = self.results(raw=[1.0], ours=[0.5], a=[3.0], b=[2.0])
        self.assertEqual(results.best_peer("s", "ratio"), (2.0, "b"))

    def test_a_bar_is_judged_together_with_the_peers(self):
        self.assertEqual(judged(0.9, 1.0, (1.2, "b"), "ratio"), "0.90 (met)")
        self.assertEqual(judged(1.3, 1.0, (1.2, "b"), "ratio"), "1.30 (**over**, **behind a peer**)")
        self.assertEqual(judged(None, 1.0, None, "ratio"), "–")


if __name__ == "__main__":
    unittest.main()

"""The sample of doubtful posts: what enters the file, that `cotpd data check` reads it, and that nothing waits for it."""

import json
import stat
import threading

import pytest

from cotpd.data.load import load_dataset
from cotpd.data.params import DataParams
from cotpd.errors import ConfigError
from cotpd.serving import doubtful_posts
from cotpd.serving.doubtful_posts import DoubtfulPosts
from cotpd.serving.limits import Limits
from cotpd.serving.service import Service
from cotpd.serving.service_metrics import ServiceMetrics
from cotpd.student.prediction_input import PredictionInput
from tests.builders import read_jsonl
from tests.serving.fake_predictor import build_version
from tests.serving.running_server import run_server

VERSION = {"name": "fake", "version": "1", "backend": "torch"}


def build_prediction(score, text="Ada"):
    return {"entities": [{"start": 0, "end": len(text), "text": text, "type": "PER", "score": score}]}


def sample(path, posts, below=0.6, share=1.0, most_bytes=10**6):
    """Offer posts, given as text and score (None: no entity), and return the metrics."""
    metrics = ServiceMetrics()
    posts_file = DoubtfulPosts(path, below, share, most_bytes, metrics)
    predictions = [{"entities": []} if score is None else build_prediction(score) for _, score in posts]
    posts_file.offer([PredictionInput(text) for text, _ in posts], predictions, VERSION)
    posts_file.stop()
    return metrics.format().decode()


def test_posts_with_a_low_score_are_written_once_with_a_draft(tmp_path):
    path = tmp_path / "new" / "train.jsonl"

    metrics = sample(path, [("Ada is here", 0.3), ("Ada is sure", 0.9), ("Ada is here", 0.3), ("nobody", None)])

    [row] = read_jsonl(path)
    assert (row["text"], row["lowest_score"], row["model"]) == ("Ada is here", 0.3, VERSION)
    assert row["entities"] == [{"start": 0, "end": 3, "text": "Ada", "type": "PER"}]
    assert 'cotpd_samples_total{outcome="written"} 1.0' in metrics
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_second_server_goes_on_behind_the_first_and_repeats_nothing(tmp_path):
    path = tmp_path / "train.jsonl"
    sample(path, [("Ada one", 0.3)])
    path.write_text(path.read_text() + '{"cut short\n')

    sample(path, [("Ada one", 0.3), ("Ada two", 0.3)])

    texts = [json.loads(line)["text"] for line in path.read_text().splitlines() if line.endswith("}")]
    assert texts == ["Ada one", "Ada two"]


def test_the_file_is_a_data_set_of_entities(tmp_path):
    texts = ["Ada \U0001f680 x", 'Ada "quoted" \u2028 y', "Ada\ttab"]
    sample(tmp_path / "train.jsonl", [(text, 0.3) for text in texts])

    dataset = load_dataset(DataParams(path=str(tmp_path)))

    assert [post.text for post in dataset.posts["train"]] == texts
    assert [post.entities[0].type for post in dataset.posts["train"]] == ["PER"] * 3


def test_the_file_is_a_data_set_of_relations(tmp_path):
    metrics = ServiceMetrics()
    posts = DoubtfulPosts(tmp_path / "train.jsonl", 0.6, 1.0, 10**6, metrics)
    pairs = [PredictionInput("Ada works for Acme", (0, 3), (14, 18)), PredictionInput("Ada Acme", (0, 3), (0, 8))]
    posts.offer(pairs, [{"label": "member", "score": 0.4}] * 2, VERSION)
    posts.stop()

    [post] = load_dataset(DataParams(path=str(tmp_path))).posts["train"]

    assert post.text == "Ada works for Acme"  # mentions that overlap have no place in the format
    assert [relation.label for relation in post.relations] == ["member"]


def test_a_share_of_the_posts_is_written(tmp_path):
    sample(tmp_path / "none.jsonl", [(f"Ada {n}", 0.3) for n in range(50)], share=0.0)
    sample(tmp_path / "half.jsonl", [(f"Ada {n}", 0.3) for n in range(400)], share=0.5)

    assert read_jsonl(tmp_path / "none.jsonl") == []
    assert 120 < len(read_jsonl(tmp_path / "half.jsonl")) < 280


def test_a_file_that_is_full_ends_the_sample_and_is_said_once(tmp_path, capsys):
    path = tmp_path / "train.jsonl"

    metrics = sample(path, [(f"Ada {n}", 0.3) for n in range(100)], most_bytes=1000)

    assert 0 < path.stat().st_size <= 1000
    assert capsys.readouterr().err.count("no more posts are sampled") == 1
    assert 'outcome="dropped"' in metrics


def test_a_full_disk_ends_no_server(disk, capsys):
    folder, _ = disk

    sample(folder / "train.jsonl", [(f"Ada {n} " + "x" * 1000, 0.3) for n in range(300)], most_bytes=10**9)

    assert "no more posts are sampled" in capsys.readouterr().err
    rows = read_jsonl(folder / "train.jsonl")
    assert 100 < len(rows) < 300


def test_no_answer_waits_for_a_slow_disk(tmp_path, monkeypatch):
    is_free = threading.Event()
    monkeypatch.setattr(doubtful_posts.os, "write", lambda _, line: is_free.wait(30) * len(line))
    monkeypatch.setattr(doubtful_posts, "_PENDING", 5)
    service = Service(build_version(score=0.2), Limits())
    service.sample(tmp_path / "train.jsonl", 0.6, 1.0, 10**6)

    with run_server(service) as server:
        for number in range(20):
            assert server.predict({"text": f"ADA {number}"}).status == 200
        dropped = server.read_metric('cotpd_samples_total{outcome="dropped"}')
        is_free.set()

    assert dropped >= 10


def test_a_file_that_cannot_be_opened_is_an_error_at_the_start(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError, match=r"x\.jsonl"):
        DoubtfulPosts(tmp_path / "file" / "x.jsonl", 0.6, 1.0, 100, ServiceMetrics())

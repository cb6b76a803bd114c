"""What a session of Spark is given, without Spark."""

import pytest

from keras_dhnn.archive.spark import parse_settings, spark_settings
from keras_dhnn.errors import SettingError

DRIVER = ("spark.driver.host", "spark.driver.bindAddress")


@pytest.mark.parametrize("master", ["local", "local[*]", "local[2,3]", "local-cluster[2,1,1024]"])
def test_on_this_machine_the_driver_is_found_here_alone(master):
    assert [spark_settings(master, {}).get(name) for name in DRIVER] == ["127.0.0.1"] * 2


@pytest.mark.parametrize("master", ["spark://host:7077", "yarn", "k8s://https://host:443", "spark://local:7077"])
def test_workers_of_other_machines_find_the_driver_by_the_name_that_spark_chooses(master):
    assert not spark_settings(master, {}).keys() & set(DRIVER)
    assert spark_settings(master, {"spark_driver_host": "10.0.0.7"})["spark.driver.host"] == "10.0.0.7"


def test_settings_that_are_given_go_before_our_own():
    found = spark_settings("local[*]", {"spark.driver.host": "10.0.0.7", "spark.executorEnv.AWS_PROFILE": "tiles"})
    assert found["spark.driver.host"] == "10.0.0.7"
    assert found["spark.driver.bindAddress"] == "127.0.0.1"
    assert found["spark.executorEnv.AWS_PROFILE"] == "tiles"


def test_settings_are_written_name_and_value():
    given = ["spark.executor.memory=4g", "spark.executorEnv.A=b=c"]
    assert parse_settings(given) == {"spark.executor.memory": "4g", "spark.executorEnv.A": "b=c"}
    for wrong in ("spark.executor.memory", "executor.memory=4g", "=4g", ""):
        with pytest.raises(SettingError, match="Expected --spark-conf as NAME=VALUE"):
            parse_settings([wrong])

"""Requests, their answers and the properties they carry, with mosquitto_rr, mosquitto_pub and mosquitto_sub."""

import shutil
import subprocess

from furrow_testing import PATIENCE, PacketTypes, Process, TestCase, bridge, main, properties, skip_all, wait_for

# What a message says about itself, as mosquitto_pub is told and as mosquitto_sub prints it.
GIVEN = ["-D", "publish", "payload-format-indicator", "1", "-D", "publish", "content-type", "text/plain",
         "-D", "publish", "response-topic", "answers/sensor", "-D", "publish", "correlation-data", "c-0815",
         "-D", "publish", "user-property", "z", "first", "-D", "publish", "user-property", "a", "second",
         "-D", "publish", "user-property", "z", "third"]
FORMAT = "= %t %p|%F|%C|%R|%D|%P"
PRINTED = "1|text/plain|answers/sensor|c-0815|z:first a:second z:third"


class Printer(Process):
    """A mosquitto_sub that prints each message in FORMAT."""

    def __init__(self, name, folder, port, *arguments):
        super().__init__(name, folder)
        # By lines: what -d says goes into a buffer, otherwise.
        self.command = ("stdbuf", "-oL", "mosquitto_sub", "-h", "127.0.0.1", "-p", port, "-V", "mqttv5", "-i", name,
                        "-q", "2", "-d", *arguments, "-F", FORMAT)

    def start(self):
        self.spawn(*self.command)
        wait_for(f"{self.name} is subscribed", lambda: "Subscribed (mid" in self.log())
        return self

    def lines(self):
        return [line[2:] for line in self.log().splitlines() if line.startswith("= ")]

    def take(self, count):
        return wait_for(f"{count} messages at {self.name}", lambda: len(self.lines()) >= count and self.lines())


class RequestResponseTest(TestCase):
    def request(self, port, topic, response_topic, *arguments, version="mqttv5"):
        """The answer to `dry?` as mosquitto_rr prints it."""
        result = subprocess.run(
            ["mosquitto_rr", "-h", "127.0.0.1", "-p", str(port), "-V", version, "-t", topic, "-e", response_topic,
             "-m", "dry?", "-W", str(int(PATIENCE)), *arguments],
            capture_output=True, text=True, timeout=2 * PATIENCE, check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return result.stdout.rstrip("\n")

    def answerer(self, port, topic_filter, answer_topic=None):
        """Answers each request with its text and the topics it saw: to its response topic, or in 3.1.1 where agreed."""
        answerer = self.client(port, "answerer")

        def answer(_, __, request):
            given = request.properties
            text = f"{request.payload.decode()} on {request.topic}"
            if answer_topic is not None:
                answerer.paho.publish(answer_topic, text, request.qos)
                return
            settings = properties(PacketTypes.PUBLISH, ContentType="text/plain")
            for name in ("CorrelationData", "UserProperty"):
                if hasattr(given, name):
                    setattr(settings, name, getattr(given, name))
            answerer.paho.publish(given.ResponseTopic, f"{text} to {given.ResponseTopic}", request.qos,
                                  properties=settings)
        answerer.paho.on_message = answer
        self.assertEqual(answerer.subscribe(topic_filter, 2), 2)

    def test_a_request_is_answered(self):
        barn = self.gateway().start()
        self.answerer(barn.port, "ask/#")
        for qos in ("0", "1", "2"):
            with self.subTest(qos=qos):
                answer = self.request(
                    barn.port, "ask/one", "answers/rr", "-q", qos, "-D", "publish", "correlation-data", "c-0815",
                    "-D", "publish", "user-property", "z", "first", "-D", "publish", "user-property", "a", "second",
                    "-F", "%t %p|%D|%C|%P|%q")
                self.assertEqual(
                    answer,
                    f"answers/rr dry? on ask/one to answers/rr|c-0815|text/plain|z:first a:second|{qos}")

    def test_a_request_in_3_1_1(self):
        barn = self.gateway().start()
        self.answerer(barn.port, "ask/#", answer_topic="answers/rr")
        self.assertEqual(self.request(barn.port, "ask/one", "answers/rr", "-q", "1", version="mqttv311"),
                         "dry? on ask/one")

    def test_asked_in_the_barn_and_answered_in_the_region(self):
        """The response topic is renamed on its way, so that the answer finds back."""
        region = self.mosquitto().start()
        barn = self.bridged(region, "{filter: ask/#, remote_prefix: us-east/barn/}",
                            "{filter: answers/#, direction: down, remote_prefix: us-east/barn/}")
        self.answerer(region.port, "us-east/barn/ask/#")
        self.assertEqual(
            self.request(barn.port, "ask/one", "answers/rr", "-q", "1", "-F", "%t %p"),
            "answers/rr dry? on us-east/barn/ask/one to us-east/barn/answers/rr")

    def test_asked_in_the_region_and_answered_in_the_barn(self):
        region = self.mosquitto().start()
        barn = self.bridged(region, "{filter: command/#, direction: down, remote_prefix: us-east/barn/}",
                            "{filter: results/#, remote_prefix: us-east/barn/}")
        self.answerer(barn.port, "command/#")
        answer = self.request(region.port, "us-east/barn/command/valve", "us-east/barn/results/rr", "-q", "1",
                              "-F", "%t %p")
        self.assertEqual(
            answer,
            "us-east/barn/results/rr dry? on command/valve to results/rr")

    def bridged(self, region, *rules):
        barn = self.gateway(bridge(region.port, *rules)).start()
        self.status(barn).wait_until("the bridge is up", lambda document: document["state"] == "online")
        return barn

    def printer(self, name, port, *arguments):
        return self.own(Printer(name, self.folder, port, *arguments)).start()

    def publish(self, port, topic, payload, *arguments):
        subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(port), "-V", "mqttv5", "-t", topic, "-m", payload,
                        *arguments, *GIVEN], check=True, timeout=PATIENCE)

    def test_properties_are_unchanged(self):
        """Live, retained, and after a wait in the queue of a session; user properties in their order."""
        barn = self.gateway().start()
        live = self.printer("live", barn.port, "-t", "farm/#")
        away = self.printer("away", barn.port, "-t", "farm/#", "-c")
        away.stop()
        for qos in ("0", "1", "2"):
            self.publish(barn.port, f"farm/{qos}", "dry", "-q", qos)
        self.publish(barn.port, "farm/kept", "dry", "-q", "1", "-r")
        expected = [f"farm/{name} dry|{PRINTED}" for name in ("0", "1", "2", "kept")]
        self.assertEqual(live.take(4), expected)
        away.spawn(*away.command)
        self.assertCountEqual(away.take(4)[:4], [*expected[1:], expected[3]])  # the retained one comes both ways
        self.assertEqual(self.printer("late", barn.port, "-t", "farm/#").take(1), expected[3:])

    def test_properties_cross_the_bridge(self):
        """Both ways; only the response topic is another one, if a rule brings its answer back."""
        region = self.mosquitto().start()
        barn = self.bridged(region, "{filter: farm/#, qos: 2}", "{filter: command/#, direction: down, qos: 2}")
        up = self.printer("up", region.port, "-t", "farm/#")
        down = self.printer("down", barn.port, "-t", "command/#")
        for qos in ("1", "2"):
            self.publish(barn.port, f"farm/{qos}", "dry", "-q", qos)
            self.publish(region.port, f"command/{qos}", "dry", "-q", qos)
        self.assertEqual(up.take(2), [f"farm/{qos} dry|{PRINTED}" for qos in ("1", "2")])
        self.assertEqual(down.take(2), [f"command/{qos} dry|{PRINTED}" for qos in ("1", "2")])


if __name__ == "__main__":
    if shutil.which("mosquitto_rr") is None:
        skip_all("mosquitto_rr is not installed")
    main()

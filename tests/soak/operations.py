"""What operators and their tools do while the gateway runs, in turn: files of organisations, keys, certificates, signals, faults of LRS."""

import itertools
import time

from gateway import shared_secret_token
from traffic import Caller

# An organisation that comes and goes.
GUEST = "10012349"


def operate(environment, recorder, stop):
    caller = Caller(environment, recorder, stop)
    token = shared_secret_token(org=GUEST)
    # A change of a file takes effect within five seconds.
    takes_effect = 6

    def organisation(expected):
        caller.call("guest organisation", "GET", "/v1/organisation", None, expected, token)

    def added():
        environment.write_organisation(GUEST, name=f"Guest {time.time()}")
        stop.wait(takes_effect)
        organisation((200,))

    def rewritten():
        environment.write_organisation(GUEST, password=f"another-pass-{int(time.time()) % 1000:03}")
        stop.wait(takes_effect)
        organisation((200,))

    def broken():
        # The organisation stays as it was.
        environment.write(f"organisations/{GUEST}.toml", "ukprn = ")
        stop.wait(takes_effect)
        organisation((200,))

    def removed():
        (environment.directory / "organisations" / f"{GUEST}.toml").unlink()
        stop.wait(takes_effect)
        organisation((403,))

    def half_renewed():
        key = environment.directory / "server.key"
        text = key.read_text()
        environment.write("server.key", "-----BEGIN PRIVATE KEY-----\n")
        stop.wait(takes_effect)
        environment.write("server.key", text)

    def lrs_fails():
        recorder.expect_faults(15)
        environment.set_scenario({"fault": "reset_before", "operation": "FindLearnerByULN", "count": 3},
                                 {"fault": "soap_fault", "code": "WSEC0999", "operation": "VerifyLearner", "count": 2},
                                 {"fault": "garbage", "operation": "FindLearnerByDemographics", "count": 2})
        stop.wait(takes_effect)
        environment.set_scenario()

    actions = [added, environment.rotate_signing_key, rewritten, environment.renew_certificate, broken, environment.reload_by_signal,
               half_renewed, removed, lrs_fails]
    for action in itertools.cycle(actions):
        if stop.is_set():
            break
        if action() is not False:
            recorder.actions[action.__name__] = recorder.actions.get(action.__name__, 0) + 1
        stop.wait(2)
    caller.close()

"""Tests of the runner: it finds what is wrong in a guide, with the place, and accepts what is right."""

import contextlib
import io
import os
import pathlib
import select
import socket
import tempfile
import unittest
from unittest import mock

import guides
import run_page
from guide_page import PageError, parse
from outputs import differences

ADDRESS = "127.0.0.1:4711"


def failures(markdown):
    """Runs a page without a gateway."""
    page = parse("docs/guides/example.md", markdown)
    with tempfile.TemporaryDirectory() as temporary:
        directory, work = pathlib.Path(temporary, "clone"), pathlib.Path(temporary, "work")
        directory.mkdir()
        work.mkdir()
        return run_page.run_page(page, directory, work, ADDRESS)


def guide(*blocks):
    return "# Title\n\n" + "\n".join(f"```{info}\n{text}\n```\n" for info, text in blocks)


class Pages(unittest.TestCase):
    def test_blocks_are_found_with_their_lines_and_texts(self):
        in_list = "1. In a list:\n\n   ```sh\n   if true; then\n     echo 1\n   fi\n   ```\n\n   ```text output\n   1\n   ```\n\n"
        page = parse("g.md", f"# Title\n\n{in_list}~~~sh\necho '```'\n~~~\n")
        self.assertEqual([(block.line, block.text) for block in page.commands], [(5, "if true; then\n  echo 1\nfi\n"), (15, "echo '```'\n")])
        self.assertEqual([(output.line, output.language, output.text) for output in page.commands[0].outputs], [(11, "text", "1\n")])

    def test_commands_that_are_not_run_have_their_reason_and_their_output_is_not_compared(self):
        page = parse("g.md", guide(("sh not-run: needs a tenant", "az login"), ("text output", "welcome"), ("toml", "a = 1"), ("sh", "true")))
        self.assertEqual([(block.line, block.reason) for block in page.not_run], [(3, "needs a tenant")])
        self.assertEqual(len(page.commands), 1)

    def test_page_that_breaks_the_convention_is_refused_with_its_line(self):
        for markdown, message in [
            (guide(("toml", "a = 1")), "no commands"),
            (guide(("sh not-run", "az login")), "line 3: commands that are not run need a reason"),
            (guide(("sh not-run:", "az login")), "line 3: commands that are not run need a reason"),
            (guide(("sh needs:", "az login")), "line 3: `sh needs:` is unknown"),
            (guide(("sh notrun: reason", "az login")), "line 3: `sh notrun: reason` is unknown"),
            (guide(("bash", "echo 1")), "line 3: `bash` is unknown"),
            (guide(("", "echo 1")), "line 3: `` is unknown"),
            (guide(("sh", "echo 1"), ("json outputs", "1")), "line 7: `json outputs` is unknown"),
            (guide(("sh", "echo 1"), ("yaml output", "1")), "line 7: `yaml output` is unknown"),
            (guide(("text output", "1"), ("sh", "echo 1")), "line 3: no commands before this output"),
            (guide(("sh", "echo 1"), ("text output", "1"), ("text output", "1")), "line 11: no commands before this output"),
            (guide(("sh", "echo 1"), ("text output", "…")), "line 7: the output shows nothing"),
            (guide(("sh", "echo 1"), ("json output", '"…"')), "line 7: the output shows nothing"),
            ("# Title\n\n```sh\necho 1\n", "line 3: the code block has no end"),
        ]:
            with self.subTest(markdown), self.assertRaisesRegex(PageError, message):
                parse("g.md", markdown)


class Outputs(unittest.TestCase):
    def assert_equal(self, language, expected, actual):
        self.assertEqual(differences(language, expected, actual), [], f"{expected} {actual}")

    def assert_different(self, language, expected, actual, reason):
        self.assertRegex(" ".join(differences(language, expected, actual)) or "(no difference)", reason, f"{expected} {actual}")

    def test_json_is_compared_by_structure(self):
        self.assert_equal("json", '{"a": 1, "b": ["x", true]}', '{"b":["x",true],"a":1}\n')
        self.assert_equal("json", '{"a": "…", "b": "x … z", "…": "…"}', '{"a": {"c": 1}, "b": "x y z", "d": 2}')
        self.assert_equal("json", '["a", "…", "z"]', '["a", 1, 2, "z"]')
        self.assert_equal("json", '["a", "…"]', '["a"]')
        self.assert_equal("json", '{"a": 1}\n{"a": 2}', '{"a":1}\n{"a":2}\n')
        for expected, actual, reason in [
            ('{"a": 1}', '{"a": 2}', r"^\$\.a is 2, not 1$"),
            ('{"a": 1}', '{"a": true}', r"\$\.a is true, not 1"),
            ('{"a": "1"}', '{"a": 1}', r"\$\.a is 1, not \"1\""),
            ('{"a": {"b": []}}', '{"a": {"b": {}}}', r"\$\.a\.b is {}"),
            ('{"a": 1}', "{}", r"\$\.a is missing"),
            ('{"a": 1, "…": "…"}', '{"b": 1}', r"\$\.a is missing"),
            ("{}", '{"a": 1}', r"\$\.a is not shown"),
            ('{"a": "x … z"}', '{"a": "x y"}', r"\$\.a is"),
            ('{"a": "x…"}', '{"a": "x\\ny"}', r"\$\.a is"),
            ("[1]", "[1, 2]", r"\$ has 2 values, not 1"),
            ("[1, 2]", "[1]", r"\$ has 1 values, not 2"),
            ('["a", "…", "z"]', '["a"]', r"\$ has 1 values, not 2"),
            ('["…", 2]', "[1, 3]", r"\$\[1\] is 3, not 2"),
            ('["…", 1, "…"]', "[1]", "more than once"),
            ("1", "1 2", r"\$ has 2 values"),
            ("1", "", r"\$ has 0 values"),
            ("{}", "curl: error", "did not print JSON"),
            ("{…}", "{}", "does not show JSON"),
        ]:
            self.assert_different("json", expected, actual, reason)

    def test_text_is_compared_by_lines(self):
        self.assert_equal("text", "a\nb … d\n", "a\nb c d\n")
        self.assert_equal("text", "a\n…\nb\n…\n", "a\n1\n2\nb\n")
        self.assert_equal("csv", "a,b\n1,2\n", "a,b\r\n1,2\r\n")
        self.assert_equal("text", "…\na\nb\n", "a\nx\na\nb\n")
        for expected, actual, reason in [
            ("a", "b", "line 1 .* 'a': the output has 'b'"),
            ("a\nb", "a", "line 2 .* the output has ended"),
            ("a", "a\nb", "a further line: 'b'"),
            ("a", " a", "line 1"),
            ("a.c", "abc", "line 1"),
            ("a\n…\nd", "a\nb\nc", "line 3"),
            ("a", "", "line 1"),
        ]:
            self.assert_different("text", expected, actual, reason)

    def test_http_is_compared_by_status_headers_and_body(self):
        message = "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\nlocation: /v1/x/1\r\n\r\n{\"a\":1}"
        self.assert_equal("http", 'HTTP/1.1 201 Created\nLocation: /v1/x/…\n…\n\n{\n  "a": 1\n}\n', message)
        self.assert_equal("http", "HTTP/1.1 201 Created\n…\n\n…\n", message)
        self.assert_equal("http", "HTTP/1.1 204 No Content\nA: 1\n", "HTTP/1.1 204 No Content\r\na: 1\r\n\r\n")
        for expected, reason in [
            ("HTTP/1.1 200 OK\n…\n\n…", "the status line is 'HTTP/1.1 201 Created'"),
            ("HTTP/1.1 201 Created\nRetry-After: 1\n…\n\n…", "no header is 'Retry-After: 1'"),
            ("HTTP/1.1 201 Created\nLocation: /v1/y/…\n…\n\n…", "no header is 'Location"),
            ("HTTP/1.1 201 Created\nLocation: /v1/x/1\n\n…", "the header 'content-type: application/json' is not shown"),
            ('HTTP/1.1 201 Created\n…\n\n{"a": 2}', r"\$\.a is 1, not 2"),
            ("HTTP/1.1 201 Created\n…\n", "line 1"),
        ]:
            self.assert_different("http", expected, message, reason)


class Runs(unittest.TestCase):
    def test_page_with_true_outputs_has_no_failure(self):
        self.assertEqual(failures(guide(("sh", "name=Ana"), ("sh", 'echo "{\\"name\\": \\"$name\\"}"'), ("json output", '{"name": "Ana"}'))), [])

    def test_page_with_wrong_output_fails_with_line_expected_and_actual(self):
        found = failures(guide(("sh", "echo one; echo two"), ("text output", "one\nthree"), ("sh", "echo 1"), ("json output", "2")))
        self.assertEqual([failure.split(": ")[0] for failure in found], ["docs/guides/example.md:7", "docs/guides/example.md:16"])
        self.assertIn("expected:\n    one\n    three\n  actual:\n    one\n    two\n", found[0])

    def test_command_that_fails_ends_the_page_with_its_line_and_its_errors(self):
        for commands, line, reason in [
            ("true\necho wrong >&2; false\ntrue", 5, "status 1"),
            ("true\nfalse | cat", 5, "status 1"),
            ("true\necho $undefined_variable", 3, "undefined_variable: unbound variable"),
            ("if true\n", 3, "syntax error"),
            ("exit 0", 3, "the shell ended"),
            ("\nno-such-command", 5, "no-such-command: command not found"),
        ]:
            with self.subTest(commands):
                found = failures(guide(("sh", commands), ("sh", "echo 1"), ("text output", "2")))
                self.assertEqual(len(found), 2, found)
                self.assertTrue(found[0].startswith(f"docs/guides/example.md:{line}: the command failed: "), found[0])
                self.assertIn(reason, found[0])
                self.assertIn("1 later blocks of commands were not run", found[1])

    def test_command_that_hangs_is_ended_with_the_programs_that_the_page_started(self):
        with mock.patch.object(run_page, "PAGE_SECONDS", 1):
            found = failures(guide(("sh", "sleep 600 &\necho $! >&2\nsleep 600")))
        self.assertIn("not finished after 1 seconds", found[0])
        try:
            background = os.pidfd_open(int(found[0].rsplit("errors:", 1)[1]))
        except ProcessLookupError:
            return
        # The system ends a killed process when it gets to it. Until then the descriptor cannot be read.
        self.assertTrue(select.select([background], [], [], 30)[0], "it still runs")
        os.close(background)

    def test_commands_do_not_read_the_script(self):
        self.assertEqual(failures(guide(("sh", "cat"), ("sh", "echo 1"), ("text output", "1"))), [])

    def test_port_that_another_program_has_is_named_before_a_command_runs(self):
        with socket.create_server(("127.0.0.1", 0)) as other:
            number = other.getsockname()[1]
            found = failures(guide(("sh", f"curl -s 127.0.0.1:{number}")))
        self.assertEqual(found, [f"docs/guides/example.md: another program listens on 127.0.0.1:{number}, which the guide uses: stop it\n"])

    def test_addresses_are_those_of_the_demonstration(self):
        self.assertEqual(failures(guide(("sh", f"test http://127.0.0.1:8080/v1 = 'http://{ADDRESS}/v1'\ntest localhost:8080 = {ADDRESS}"))), [])
        self.assertEqual(failures(guide(("sh", f"echo {ADDRESS}/v1 {ADDRESS}2"), ("text output", f"127.0.0.1:8080/v1 {ADDRESS}2"))), [])


class Program(unittest.TestCase):
    def test_demonstration_that_does_not_start_is_an_error(self):
        with tempfile.TemporaryDirectory() as temporary:
            with self.assertRaisesRegex(RuntimeError, "did not start"):
                guides.Demonstration("/bin/false", pathlib.Path(temporary))

    def test_guide_whose_tools_are_missing_is_reported_and_not_run(self):
        for tool, printed in [("no-such-tool", "not run: needs no-such-tool"), ("cat", "FAILED")]:
            self.assertIn(printed, self.run_program(guide((f"sh needs: cat {tool}", "true")))[1])

    def test_guide_that_is_not_run_makes_the_exit_code_1_unless_that_is_allowed(self):
        for allowed, code in [("", 1), ("1", 0)]:
            with mock.patch.dict("os.environ", {"ALLOW_NOT_RUN": allowed}):
                self.assertEqual(self.run_program(guide(("sh needs: no-such-tool", "true")))[0], code)

    def test_guide_with_a_failure_makes_the_exit_code_1(self):
        for markdown, code in [(guide(("sh not-run: needs a tenant", "az login")), 0), ("# Title\n", 1), (guide(("sh", "true")), 1)]:
            self.assertEqual(self.run_program(markdown)[0], code)

    def run_program(self, markdown):
        """Runs a page with a program that is no demonstration: its commands cannot be run. Returns exit code and output."""
        with tempfile.TemporaryDirectory() as temporary:
            page = pathlib.Path(temporary, "guide.md")
            page.write_text(markdown, encoding="utf-8")
            printed = io.StringIO()
            with mock.patch("sys.argv", ["guides.py", "--program", "/bin/false", str(page)]), contextlib.redirect_stdout(printed):
                return guides.main(), printed.getvalue()


if __name__ == "__main__":
    unittest.main()

// The page to try calls: shows the fields of the chosen operation, sends the call, and shows the answer.
// The token stays in its field: it is never stored, and is no part of an address.
"use strict";
(() => {
  const element = (id) => document.getElementById(id);
  const form = element("try");
  const choice = element("try-operation");
  const token = element("try-token");
  const fields = () => element(`try-${choice.value}`);
  const inputs = (place) => [...fields().querySelectorAll(`[data-in="${place}"]`)].filter((input) => input.value !== "");
  const body = () => fields().querySelector("textarea");

  // The page is one level below the root of the API, wherever a proxy serves it.
  const address = () => {
    let path = fields().dataset.path;
    for (const input of inputs("path")) {
      path = path.replace(`{${input.dataset.name}}`, encodeURIComponent(input.value));
    }
    const url = new URL(`..${path}`, document.baseURI.split("#")[0]);
    for (const input of inputs("query")) {
      url.searchParams.set(input.dataset.name, input.value);
    }
    return url;
  };

  const headers = () => {
    const list = [["Accept", fields().dataset.accept]];
    for (const input of inputs("header")) {
      list.push([input.dataset.name, input.value]);
    }
    if (body()) {
      list.push(["Content-Type", body().dataset.type]);
    }
    return list;
  };

  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

  // Browsers resolve these segments: the call would have another path.
  const checkSegments = () => {
    const wrong = [];
    for (const input of fields().querySelectorAll('[data-in="path"]')) {
      const isWrong = [".", ".."].includes(input.value);
      input.setCustomValidity(isWrong ? "Enter a value other than . and .., which are no names in a path." : "");
      if (isWrong) wrong.push(input.dataset.name);
    }
    return wrong;
  };

  const showCurl = () => {
    const wrong = checkSegments();
    if (wrong.length) {
      element("try-curl").textContent = `Correct ${wrong.join(", ")} first: . and .. are no names in a path.`;
      return;
    }
    const { method, token: needsToken } = fields().dataset;
    const lines = [`curl --request ${method} ${quoted(address().href)}`];
    if (needsToken === "true") {
      lines.push('--header "Authorization: Bearer $TOKEN"');
    }
    lines.push(...headers().map(([name, value]) => `--header ${quoted(`${name}: ${value}`)}`));
    if (body()) {
      lines.push(`--data-raw ${quoted(body().value)}`);
    }
    element("try-curl").textContent = lines.join(" \\\n    ");
    element("try-copied").textContent = "";
  };

  // Only the fields of the chosen operation take part in the form.
  const choose = (id) => {
    if ([...choice.options].some((option) => option.value === id)) {
      choice.value = id;
    }
    for (const other of form.querySelectorAll("fieldset")) {
      other.hidden = other.disabled = other !== fields();
    }
    showCurl();
  };

  const pretty = (text) => {
    try {
      return JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      return text;
    }
  };

  const show = (status, answer) => {
    element("try-status").textContent = status;
    element("try-answer").hidden = !answer;
    element("try-headers").textContent = answer ? answer.headers : "";
    element("try-body").textContent = answer ? pretty(answer.body) || "The answer has no body." : "";
    // The code of a problem names its page.
    const code = answer && answer.isProblem && /"code":\s*"([a-z_]+)"/.exec(answer.body)?.[1];
    element("try-problem").hidden = !code;
    element("try-problem").firstElementChild.href = `problems/${code || ""}`;
  };

  const send = async () => {
    const request = { method: fields().dataset.method, headers: headers(), body: body()?.value, credentials: "omit", cache: "no-store" };
    const bearer = token.value.trim();
    if (fields().dataset.token === "true" && bearer !== "") {
      request.headers.push(["Authorization", `Bearer ${bearer}`]);
    }
    const start = performance.now();
    const response = await fetch(address(), request);
    const text = await response.text();
    const milliseconds = Math.round(performance.now() - start);
    const type = response.headers.get("Content-Type") || "";
    show(`${response.status} ${response.statusText}, after ${milliseconds} ms`, {
      headers: [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n"),
      body: text,
      isProblem: type.startsWith("application/problem+json"),
    });
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = element("try-send");
    if (button.getAttribute("aria-disabled") === "true") {
      return;
    }
    // The button keeps the focus while the call is under way.
    button.setAttribute("aria-disabled", "true");
    show("Sending …");
    try {
      await send();
    } catch (error) {
      show(`The call was not answered: ${error.message}`);
    }
    button.removeAttribute("aria-disabled");
  });

  form.addEventListener("click", ({ target }) => {
    const field = target.dataset.generate && element(target.dataset.generate);
    if (field) {
      field.value = newKey();
      showCurl();
    }
  });

  // `crypto.randomUUID` exists only on pages that were loaded by HTTPS or from this machine.
  const newKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

  form.addEventListener("input", ({ target }) => {
    if (target.dataset.fills) {
      element(target.dataset.fills).value = target.value;
    }
    showCurl();
  });

  choice.addEventListener("change", () => {
    history.replaceState(null, "", `#${choice.value}`);
    choose(choice.value);
  });

  const setTokenVisible = (isVisible) => {
    token.type = isVisible ? "text" : "password";
    element("try-show").setAttribute("aria-pressed", String(isVisible));
  };
  element("try-show").addEventListener("click", () => setTokenVisible(token.type === "password"));

  element("try-copy").addEventListener("click", async () => {
    const command = element("try-curl").textContent;
    try {
      await navigator.clipboard.writeText(command);
      element("try-copied").textContent = "Copied.";
    } catch {
      getSelection().selectAllChildren(element("try-curl"));
      element("try-copied").textContent = "The command is selected: copy it with your keyboard.";
    }
  });

  // Browsers keep pages for the way back: without the token.
  addEventListener("pagehide", () => {
    token.value = "";
    setTokenVisible(false);
  });
  addEventListener("hashchange", () => choose(location.hash.slice(1)));
  // A reload must not fill fields with what was in them before.
  form.reset();
  choose(location.hash.slice(1));
})();

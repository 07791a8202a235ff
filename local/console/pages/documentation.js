import { rememberScopes } from "./api.js";

const DESCRIPTION = `${document.body.dataset.api}/openapi.json`;
const RETRY_MS = 1000;

const notice = document.getElementById("notice");
const scope = document.getElementById("scope");

/** Return the API's description, once there is one; say what to do until then. */
async function description() {
  for (;;) {
    try {
      const found = await describe();
      notice.hidden = true;
      return found;
    } catch (error) {
      document.getElementById("reason").textContent = error.message;
      notice.hidden = false;
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

async function describe() {
  // The API may have changed since the browser cached it.
  const response = await fetch(DESCRIPTION, { cache: "no-cache" });
  if (!response.ok) {
    throw new Error(`${response.status} to GET /openapi.json`);
  }
  return response.json();
}

/** Send a request for Swagger UI; where there is no answer, see whether the API is there. */
async function send(url, options) {
  try {
    return await fetch(url, options);
  } catch (error) {
    if (notice.hidden) {
      description();
    }
    throw error;
  }
}

function prepare(request) {
  return Object.assign(request, { userFetch: send });
}

/** Have Swagger UI send a new token of the chosen scopes, or none, by these security schemes. */
async function authorize(ui, schemes) {
  const scopes = scope.value;
  scope.ariaBusy = "true";
  const token = scopes && (await newToken(scopes));
  if (scope.value !== scopes) {
    return; // another scope was chosen meanwhile
  }
  if (token) {
    schemes.forEach((name) => ui.preauthorizeApiKey(name, token));
  } else {
    ui.authActions.logout(schemes);
  }
  scope.ariaBusy = "false";
}

async function newToken(scopes) {
  const answer = await fetch(`/token?${new URLSearchParams({ scope: scopes })}`, { method: "POST" });
  return (await answer.json()).access_token;
}

function bearerSchemes({ components = {} }) {
  const isBearer = ([, { type, scheme = "" }]) =>
    type === "http" && scheme.toLowerCase() === "bearer";
  return Object.entries(components.securitySchemes ?? {}).filter(isBearer).map(([name]) => name);
}

/** Return the description with the API's whole address, and nothing in optional headers. */
function adapted(described) {
  const servers = described.servers.map(({ url }) => ({
    url: new URL(url, DESCRIPTION).href.replace(/\/$/, ""),
  }));
  for (const path of Object.values(described.paths)) {
    for (const { parameters = [] } of Object.values(path)) {
      // Swagger UI sends examples, so all requests would share one id and one idempotency key.
      const optional = parameters.filter((each) => each.in === "header" && !each.required);
      optional.forEach((each) => delete each.example);
    }
  }
  const { summary, ...info } = described.info; // the description begins with it
  return { ...described, info, servers };
}

/** Repairs what a screen reader and a keyboard find wrong in Swagger UI: see decision 0037. */
function Accessible({ React }) {
  const asSpan = () => ({ text }) => React.createElement("span", null, text);
  const without = () => () => null;
  return {
    wrapComponents: {
      DeepLink: asSpan, // a link inside a button
      CopyToClipboardBtn: without, // a button inside a button
      ServersContainer: without, // a list without a label, of one server
    },
  };
}

const MISSING = {
  ".information-container": { role: "region", "aria-label": "About the API" },
  ".opblock-tag": { "aria-level": "2" }, // an h3 below the page's h1
  ".models h4": { "aria-level": "2" },
  ".opblock-body h4": { "aria-level": "3" },
  ".opblock-body h5": { "aria-level": "4" },
  "textarea": { "aria-label": "Body" },
  ".examples-select-element": { "aria-label": "Example" },
  ".responses-header td": { role: "columnheader" },
  ".microlight": { tabindex: "0" }, // scrolls
};

/** Add the attributes that Swagger UI's elements lack, also to those drawn later. */
function complete() {
  for (const [selector, attributes] of Object.entries(MISSING)) {
    for (const [name, value] of Object.entries(attributes)) {
      const lacking = document.querySelectorAll(`#documentation ${selector}:not([${name}])`);
      lacking.forEach((each) => each.setAttribute(name, value));
    }
  }
}

function show(described) {
  const drawn = { childList: true, subtree: true };
  new MutationObserver(complete).observe(document.getElementById("documentation"), drawn);
  const schemes = bearerSchemes(described);
  const ui = SwaggerUIBundle({
    spec: adapted(described),
    dom_id: "#documentation",
    deepLinking: true,
    plugins: [Accessible],
    displayRequestDuration: true,
    requestInterceptor: prepare,
    tryItOutEnabled: true,
    validatorUrl: null,
    onComplete: () => {
      rememberScopes(() => authorize(ui, schemes));
      authorize(ui, schemes);
    },
  });
}

description().then(show);

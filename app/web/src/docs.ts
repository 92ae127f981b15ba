/** The documentation of all routes, made in the browser from the document that the service gives of itself. */

import SwaggerUI from "swagger-ui-dist/swagger-ui-es-bundle.js";
import "swagger-ui-dist/swagger-ui.css";
import "./docs.css";

const response = await fetch("openapi.json");
if (!response.ok) document.getElementById("docs")!.textContent = `The service answered ${response.status}. Load the page again in a moment.`;
const spec: object = await response.json();

// Requests go where the page came from, behind a path prefix too.
const servers = [{ url: new URL(".", location.href).href }];

SwaggerUI({ dom_id: "#docs", spec: { ...spec, servers }, tryItOutEnabled: true });

// Its dark colours are there, and wait for a class.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = (): void => void document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

import { render, type ComponentType } from "preact";
import { useEffect, useErrorBoundary, useState } from "preact/hooks";

import { link, useWords } from "./hooks";
import { Failure, Loading } from "./parts";

interface View {
  title: string;
  load: () => Promise<{ default: ComponentType<{ words: string[] }> }>;
}

const start: View = { title: "Learn a table", load: () => import("./views/start") };

const VIEWS: Record<string, View> = {
  "set-up": start,
  jobs: { title: "Jobs", load: () => import("./views/jobs") },
  job: { title: "A training", load: () => import("./views/watch") },
  models: { title: "Models", load: () => import("./views/models") },
  model: { title: "A model", load: () => import("./views/model") },
  datasets: { title: "Datasets", load: () => import("./views/datasets") },
  compare: { title: "Compare", load: () => import("./views/compare") },
};

const LINKS: [string, string][] = [
  [link(), "Learn"],
  [link("models"), "Models"],
  [link("jobs"), "Jobs"],
  [link("datasets"), "Datasets"],
  ["docs", "API"],
];

function App() {
  const words = useWords();
  const view = (Object.hasOwn(VIEWS, words[0] ?? "") && VIEWS[words[0] ?? ""]) || start;
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>Skip to content</a>
      <nav class="bar" aria-label="Views">
        <a class="brand" href={link()}><img src={new URL("./icon.svg", import.meta.url).href} alt="" width="28" height="28" /> netlet</a>
        {LINKS.map(([href, name]) => (
          <a href={href} aria-current={isHere(href, words) ? "page" : undefined}>{name}</a>
        ))}
      </nav>
      <main id="main" class="page" tabIndex={-1}>
        <Shown view={view} words={words} key={words.slice(0, 2).join("/")} />
      </main>
    </>
  );
}

function isHere(href: string, words: string[]): boolean {
  const plural: Record<string, string> = { job: "jobs", model: "models", compare: "models", "set-up": "" };
  const first = words[0] ?? "";
  return href === link(...[plural[first] ?? first].filter(Boolean));
}

function skip(event: Event): void {
  event.preventDefault(); // the address is the view's
  document.getElementById("main")!.focus();
}

/** A view, as soon as its part of the page is there. */
function Shown({ view, words }: { view: View; words: string[] }) {
  const [Loaded, setLoaded] = useState<ComponentType<{ words: string[] }>>();
  const [failed, forget] = useErrorBoundary();
  const [missing, setMissing] = useState<unknown>();
  useEffect(() => {
    document.title = `${view.title} · netlet`;
    view.load().then(({ default: Component }) => setLoaded(() => Component), setMissing);
  }, [view]);
  if (failed) {
    return (
      <>
        <Failure error={failed} />
        <button onClick={forget}>Try again</button>
      </>
    );
  }
  if (missing) return <Failure error="This part of the page could not be loaded. Reload the page." />;
  return Loaded ? <Loaded words={words.slice(1)} /> : <Loading />;
}

const root = document.getElementById("app")!;
root.textContent = "";
render(<App />, root);

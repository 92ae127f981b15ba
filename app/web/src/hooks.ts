/** What components share: the address, values that are loaded, and work that a button begins. */

import { useCallback, useEffect, useState } from "preact/hooks";

/** The words after `#/`, decoded; they change with the address. */
export function useWords(): string[] {
  const [words, setWords] = useState(wordsHere);
  useEffect(() => {
    const changed = () => setWords(wordsHere());
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return words;
}

function wordsHere(): string[] {
  return location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decoded);
}

function decoded(word: string): string {
  try {
    return decodeURIComponent(word);
  } catch {
    return word; // typed by hand, with a lone %
  }
}

/** Make the link of a view from its words. */
export const link = (...words: (string | number)[]): string => `#/${words.map(encodeURIComponent).join("/")}`;

export const go = (...words: (string | number)[]): void => void (location.hash = link(...words));

export interface Loaded<T> {
  value: T | undefined;
  error: unknown;
  reload: () => void;
}

/** Load something, and again whenever one of `on` changes; what is no longer wanted is given up. */
export function useLoaded<T>(load: (signal: AbortSignal) => Promise<T>, on: unknown[]): Loaded<T> {
  const [state, setState] = useState<{ value: T | undefined; error: unknown }>({ value: undefined, error: undefined });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const ending = new AbortController();
    load(ending.signal).then(
      (value) => ending.signal.aborted || setState({ value, error: undefined }),
      (error: unknown) => ending.signal.aborted || setState({ value: undefined, error }),
    );
    return () => ending.abort();
  }, [...on, turn]);
  return { ...state, reload: useCallback(() => setTurn((before) => before + 1), []) };
}

export interface Doing {
  busy: boolean;
  error: unknown;
  run: (work: () => Promise<unknown>) => Promise<void>;
}

/** Do one thing at a time for a button, and keep what went wrong. */
export function useDoing(): Doing {
  const [state, setState] = useState<{ busy: boolean; error: unknown }>({ busy: false, error: undefined });
  const run = async (work: () => Promise<unknown>): Promise<void> => {
    setState({ busy: true, error: undefined });
    try {
      await work();
      setState({ busy: false, error: undefined });
    } catch (error) {
      setState({ busy: false, error });
    }
  };
  return { ...state, run };
}

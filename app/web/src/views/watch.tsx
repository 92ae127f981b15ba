export default function View({ words }: { words: string[] }) {
  return <h1>watch {words.join(" ")}</h1>;
}

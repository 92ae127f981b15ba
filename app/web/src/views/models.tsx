export default function View({ words }: { words: string[] }) {
  return <h1>models {words.join(" ")}</h1>;
}

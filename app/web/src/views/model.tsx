export default function View({ words }: { words: string[] }) {
  return <h1>model {words.join(" ")}</h1>;
}

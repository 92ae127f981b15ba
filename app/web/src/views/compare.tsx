export default function View({ words }: { words: string[] }) {
  return <h1>compare {words.join(" ")}</h1>;
}

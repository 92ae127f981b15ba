/** A set-up: the table by its id, the settings and the seed; in an address it opens again and gives the same numbers. */

import { address, type Schemas } from "./api";
import { link } from "./hooks";

/** What `POST /train` takes, of a dataset; what is left out is chosen by the service. */
export interface SetUp {
  dataset?: string;
  name?: string;
  target?: string | string[];
  task?: string;
  preset?: string;
  kinds?: Record<string, string>;
  network?: Record<string, unknown>;
  training?: Record<string, unknown>;
  scaling?: Record<string, unknown>;
  weight?: string;
}

export const TUTORIAL = "hours_studied,hours_slept,score\n2,9,92\n1,5,86\n3,6,89\n";
export const TUTORIAL_QUESTION = { hours_studied: 4, hours_slept: 8 };

/** The set-up that made a version, with every setting and the seed; null where its table is not kept. */
export function setUpOf(model: Schemas["OneVersion"]): SetUp | null {
  if (!model.dataset || model.continued_from) return null;
  const { dataset, model: name, target, task, network, training, scaling } = model as unknown as Required<SetUp> & { model: string };
  return { dataset, name, target, task, network, training, scaling };
}

export const setUpLink = (setUp: SetUp): string => address(link("set-up", JSON.stringify(setUp)));

/** Read the set-up of an address; throws where it is none. */
export const setUpFrom = (word: string): SetUp => JSON.parse(word) as SetUp;

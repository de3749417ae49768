import "./ui/tokens.css";
import "./ui/base.css";
import "./ui/form.css";
import "./ui/over.css";
import "./mail/list.css";
import "./mail/reading.css";
import "./mail/mail.css";
import "./search/search.css";
import "./compose/compose.css";
import "./settings/settings.css";

import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { ApiProblem } from "./api/problem";
import { askAhead } from "./mail/ahead";
import { router } from "./router";
import { Strings } from "./strings/use";

const MOST_TRIES = 3;

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // What the server refuses it refuses again; what did not reach it may.
      retry: (tries, error) =>
        tries < MOST_TRIES && !(error instanceof ApiProblem && error.problem.status < 500),
      refetchOnWindowFocus: false, // the event log tells of what changes
    },
  },
});

askAhead(queries, window.location);
const place = document.getElementById("root");
if (!place) throw new Error("The page has no place for the webmail.");
createRoot(place).render(
  <StrictMode>
    <Strings>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </Strings>
  </StrictMode>,
);

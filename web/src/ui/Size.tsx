import { FormattedNumber } from "react-intl";

/** How large a file is, as people say it. */
export function Size({ bytes }: { bytes: number }) {
  const [value, unit] =
    bytes < 1_000 ? [bytes, "byte"] : bytes < 1_000_000 ? [bytes / 1e3, "kilobyte"] : [bytes / 1e6, "megabyte"];
  return (
    <FormattedNumber
      value={value}
      style="unit"
      unit={unit}
      unitDisplay="short"
      maximumFractionDigits={value < 10 && unit !== "byte" ? 1 : 0}
    />
  );
}

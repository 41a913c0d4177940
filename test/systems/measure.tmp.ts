import { makeStand, logIn, api } from "./stand.ts";
import { pfaVanguard } from "../../systems/pfa-vanguard/definition.ts";
const s = await makeStand();
try {
const d = await s.makeDatabase("big", "v3.0.0");
console.log((await d.admin.query("show lc_collate").catch(async()=>d.admin.query("select datcollate from pg_database where datname='big'"))).rows[0]);
let t = Date.now(); await pfaVanguard.drill.seed(d.admin, 1_000_000); console.log("seed 1M", Date.now()-t);
const b = await s.start("backend","v3.0.0",d); const c = api(b, await logIn(b));
for (const p of ["&limit=20","&limit=20","","&category=Equipment","&sort=totalCost&order=desc","&format=csv","&format=csv&limit=50"]) { const t=performance.now(); const r=await c("GET","/api/pfa-data?organizationId=org-rio"+p); console.log(p, r.status, Math.round(performance.now()-t)); }
const e = await s.makeDatabase("big2", "v3.0.0");
await e.admin.query("DROP INDEX pfa_records_organization");
t = Date.now(); await pfaVanguard.drill.seed(e.admin, 1_000_000); console.log("seed 1M without index", Date.now()-t);
t = Date.now(); await e.admin.query("CREATE INDEX pfa_records_organization ON pfa_records (organization_id, category, id)"); console.log("index", Date.now()-t);
} finally { await s.remove(); }

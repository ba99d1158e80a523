const k = await import('/work/main/test/kind/tools.ts');
const g = await import('/work/main/test/cluster/go-tool.ts');
console.log(await g.ensureTool(k.traefik));
